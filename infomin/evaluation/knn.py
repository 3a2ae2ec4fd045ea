"""Weighted cosine k-nearest neighbours (Wu et al. 2018, arXiv:1805.01978, section 3.4)."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError


@torch.no_grad()
def knn_accuracy(
    train: Float[Tensor, "n d"],
    train_labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m d"],
    test_labels: Int64[Tensor, " m"],
    k: int = 20,
    temperature: float = 0.07,
) -> float:
    """Return the accuracy of a vote of the k nearest training features, weighted by exp(cos / tau).

    Raises:
        InputError: if k is not within 1..n.
    """
    if not 1 <= k <= len(train):
        raise InputError(f"k: expected 1..{len(train)} neighbours, got {k}")
    bank = F.normalize(train, dim=1)
    classes = int(train_labels.max()) + 1
    hits = 0
    for part, labels in zip(
        F.normalize(test, dim=1).split(512), test_labels.split(512), strict=True
    ):
        nearest = (part @ bank.mT).topk(k, dim=1)
        votes = part.new_zeros(len(part), classes)
        votes.scatter_add_(1, train_labels[nearest.indices], (nearest.values / temperature).exp())
        hits += int((votes.argmax(1) == labels).sum())
    return hits / len(test)
