"""Which images a semi-supervised game may see the label of."""

import torch
from jaxtyping import Int64
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data.images import UNLABELLED


def labelled_subset(
    labels: Int64[Tensor, " n"],
    share: float | None = None,
    number: int | None = None,
    seed: int = 0,
) -> Int64[Tensor, " m"]:
    """Choose labelled images, equally many of every class as far as they go.

    Arguments:
        labels: of all training images, -1 for none.
        share: of the labelled images, within (0, 1]; None takes all.
        number: of images, instead of a share.
        seed: of the choice.

    Returns:
        Indices into `labels`, ascending.

    Raises:
        InputError: for a share out of range, more labels than there are, or fewer than classes.
    """
    known = (labels != UNLABELLED).nonzero().squeeze(1).cpu()
    if share is not None and not 0 < share <= 1:
        raise InputError(f"labels.share: expected a share within (0, 1], got {share}")
    wanted = round((1 if share is None else share) * len(known)) if number is None else number
    if not len(known):
        raise InputError("labels: the data has none; put images into one folder per class")
    classes = torch.unique(labels[known])
    if wanted > len(known):
        raise InputError(f"labels.number: {wanted} labels asked, the data has {len(known)}")
    if wanted < len(classes):
        raise InputError(f"labels: expected at least one a class, {len(classes)}, got {wanted}")
    piles = []
    for label in classes.tolist():
        pile = known[labels[known].cpu() == label]
        order = torch.randperm(len(pile), generator=rng.generator(seed, "labels", label))
        piles.append(pile[order])
    # deal one image of each class a round, until there are enough
    rounds = [pile[i] for i in range(max(map(len, piles))) for pile in piles if i < len(pile)]
    return torch.stack(rounds[:wanted]).sort().values
