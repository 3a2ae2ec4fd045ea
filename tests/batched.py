"""Crops of a batch, given all images."""

from infomin.core.batching import take


def crops_of(batches, images, step, augment, number, part=slice(None)):
    """Return `number` crops of every image of a part of batch `step`, and the indices."""
    index = batches(step)[part]
    return batches.crops(take(images, index), step, augment, number, part), index
