r"""Pairs of views, and losses summed over them (CMC, arXiv:1906.05849, section 3.3).

    full      sum over i < j of L(V_i, V_j)     every two views
    core      sum over j >= 2 of L(V_1, V_j)    the first view with each of the others
    one_way   as core, from V_1 to the others   queries and keys (MoCo, arXiv:1911.05722)
    own       L(V_1, V_1)                       an image and its row of a bank (InstDis, 1805.01978)

`full` and `core` average both directions of a pair.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.losses.infonce import cosine_scores

BOTH_DIRECTIONS = ("full", "core")
GRAPHS = (*BOTH_DIRECTIONS, "one_way", "own")
Pair = tuple[int, int]


def view_pairs(views: int, graph: str = "full") -> list[Pair]:
    """Return the pairs i < j of a graph over views 0, ..., M - 1; view 0 is the core.

    Raises:
        InputError: for fewer than two views, or an unknown graph.
    """
    one_of("graph", graph, GRAPHS)
    if views < 2:
        raise InputError(f"views: a contrast needs at least 2, got {views}")
    if graph == "own":
        return [(0, 0)]
    return [(i, j) for i, j in combinations(range(views), 2) if graph == "full" or i == 0]


def directions(pair: Pair, graph: str = "full") -> list[Pair]:
    """Return the directions (anchor, other) in which a pair of views is contrasted."""
    return [pair, pair[::-1]] if graph in BOTH_DIRECTIONS else [pair]


def check_pair_weights(pairs: Sequence[Pair], weights: Sequence[float] | None) -> list[float]:
    """Return the weight of every pair, 1 by default.

    Raises:
        InputError: for another number of weights than pairs, a negative one, or only zeros.
    """
    if weights is None:
        return [1.0] * len(pairs)
    names = ", ".join(f"{i + 1}-{j + 1}" for i, j in pairs)
    numbers = isinstance(weights, Sequence) and all(isinstance(w, int | float) for w in weights)
    if not numbers or len(weights) != len(pairs):
        raise InputError(
            f"pair_weights: expected {len(pairs)} numbers, for the views {names}, got {weights}"
        )
    if min(weights) < 0 or max(weights) <= 0:
        raise InputError(
            f"pair_weights: expected numbers >= 0, not all 0, got {[*weights]} for {names}"
        )
    return [float(w) for w in weights]


def pair_scores(z: Sequence[Float[Tensor, "k d"]], temperature: float) -> list[Tensor]:
    """Return the cosine scores of every pair of views i < j, `(k, k)` each (the full graph)."""
    return [cosine_scores(z[i], z[j], temperature) for i, j in view_pairs(len(z))]


def weighted_sum(
    losses: Iterable[Float[Tensor, ""]], weights: Iterable[float]
) -> Float[Tensor, ""]:
    """Return the weighted sum of the losses of pairs."""
    return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum()
