"""Seeded choices of images: for training, for test, and those whose labels a game may use."""

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.images import UNLABELLED


def hold_out(
    n: int, share: float, seed: int, labels: Int64[Tensor, " n"] | None = None
) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " k"]]:
    """Return ascending indices of training images and of a random share of test images.

    Arguments:
        n: number of images.
        share: share of test images.
        seed: of the choice.
        labels: where all images of a class are chosen, the first of them stays in training.

    Raises:
        InputError: when one of the two is empty.
    """
    held = _held(n, share)
    order = torch.randperm(n, generator=rng.generator(seed, "hold out"))
    train, test = order[held:].sort().values, order[:held].sort().values
    if labels is None:
        return train, test
    lost = {*labels[test].tolist()} - {*labels[train].tolist(), UNLABELLED}
    kept = [int(test[labels[test] == label][0]) for label in lost]
    if len(kept) == held:
        raise InputError(
            f"data.test_share: all {held} images that are held out are the only ones of their "
            "class; set data.labels=none if folders are no classes, or raise data.test_share"
        )
    moved = torch.tensor(kept, dtype=torch.long)
    return torch.cat([train, moved]).sort().values, test[~torch.isin(test, moved)]


def hold_out_by_class(
    labels: Int64[Tensor, " n"], share: float, seed: int
) -> tuple[Int64[Tensor, " m"], Int64[Tensor, " k"]]:
    """Choose training and test images as `hold_out`, in equal proportions of every class.

    One image of every class always stays in training. Images without a label are one class.

    Raises:
        InputError: when one of the two is empty, or too few images remain beside one of each class.
    """
    n = len(labels)
    held = _held(n, share)
    order = torch.randperm(n, generator=rng.generator(seed, "hold out by class"))
    order = order[labels[order].argsort(stable=True)]
    first = torch.ones(n, dtype=torch.bool)
    first[1:] = labels[order].diff() != 0
    others = order[~first]
    if held > len(others):
        raise InputError(
            f"data.test_share: {share} of {n} images are {held}, but only {len(others)} remain "
            f"beside one image of each of {n - len(others)} classes"
        )
    places = (2 * torch.arange(held) + 1) * len(others) // (2 * held)  # evenly over the classes
    test = torch.zeros(n, dtype=torch.bool)
    test[others[places]] = True
    return (~test).nonzero().squeeze(1), test.nonzero().squeeze(1)


def labelled_subset(
    labels: Int64[Tensor, " n"],
    share: float | None = 0.1,
    number: int | None = None,
    seed: int = 0,
) -> Int64[Tensor, " m"]:
    """Choose labelled images, equally many of every class as long as it has some.

    Arguments:
        labels: of all training images, -1 for none.
        share: share of the labelled images, within (0, 1]; None takes all.
        number: number of images, instead of a share.
        seed: of the choice.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        InputError: for a share out of range, more labels than there are, or fewer than classes.
    """
    labels = labels.cpu()
    known = (labels != UNLABELLED).nonzero().squeeze(1)
    if share is not None and not 0 < share <= 1:
        raise InputError(f"labels.share: expected a share within (0, 1], got {share}")
    wanted = round((1 if share is None else share) * len(known)) if number is None else number
    if not len(known):
        raise InputError("labels: the data has none; put images into one folder per class")
    classes = torch.unique(labels[known])
    if wanted > len(known):
        raise InputError(
            f"labels.number: expected at most {len(known)}, the labels of the data, got {wanted}"
        )
    if wanted < len(classes):
        raise InputError(
            f"labels: expected at least {len(classes)}, one of each class, got {wanted}"
            + (f" ({share:g} of {len(known)})" if number is None and share is not None else "")
            + f"; set labels={len(classes)} or more, or labels=1.0 for all"
        )
    piles = []
    for label in classes.tolist():
        pile = known[labels[known] == label]
        order = torch.randperm(len(pile), generator=rng.generator(seed, "labels", label))
        piles.append(pile[order])
    # take one image of each class in turn, until there are enough
    rounds = [pile[i] for i in range(max(map(len, piles))) for pile in piles if i < len(pile)]
    return torch.stack(rounds[:wanted]).sort().values


def _held(n: int, share: float) -> int:
    held = round(n * share)
    if not 0 < held < n:
        raise InputError(
            f"data.test_share: {share} of {n} images leaves {held} for test; "
            f"{'raise' if held < 1 else 'lower'} data.test_share, or add images"
        )
    return held
