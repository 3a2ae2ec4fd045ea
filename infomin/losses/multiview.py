r"""Losses of two views summed over pairs of M views (CMC, arXiv:1906.05849, section 3.3).

    core   sum over j >= 2 of L(V_1, V_j)   what V_1 shares with each of the others
    full   sum over i < j of L(V_i, V_j)    what any two share

With two views both are the one pair, in both directions. Two more graphs have one direction only:

    one_way   V_1 asks each of the others, none asks back (MoCo, arXiv:1911.05722: queries and keys)
    own       V_1 asks for its own row of a bank (InstDis, arXiv:1805.01978)
"""

from collections.abc import Sequence
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import InputError, one_of
from infomin.losses.infonce import cosine_scores

BOTH_WAYS = ("full", "core")
GRAPHS = (*BOTH_WAYS, "one_way", "own")
Pair = tuple[int, int]


def pairs(views: int, graph: str = "full") -> list[Pair]:
    """Return the pairs i < j of a graph over views 0, ..., M - 1; view 0 is the core, or alone.

    Raises:
        InputError: for fewer than two views, or an unknown graph.
    """
    one_of("graph", graph, GRAPHS)
    if views < 2:
        raise InputError(f"views: a contrast needs at least 2, got {views}")
    if graph == "own":
        return [(0, 0)]
    return [(i, j) for i, j in combinations(range(views), 2) if graph == "full" or i == 0]


def ways(pair: Pair, graph: str = "full") -> list[Pair]:
    """Return the directions of a pair of views: (anchor, other), in some graphs back, too."""
    return [pair, pair[::-1]] if graph in BOTH_WAYS else [pair]


def sides(views: int, graph: str = "full") -> tuple[list[int], list[int]]:
    """Return the views that are anchors of any direction of a graph, and those that are others."""
    directed = [way for pair in pairs(views, graph) for way in ways(pair, graph)]
    anchors, others = zip(*directed, strict=True)
    return sorted({*anchors}), sorted({*others})


def weights_of(chosen: Sequence[Pair], weights: Sequence[float] | None) -> list[float]:
    """Return the weight of every pair, 1 by default.

    Raises:
        InputError: for another number of weights than pairs, a negative one, or nothing but zeros.
    """
    if weights is None:
        return [1.0] * len(chosen)
    named = ", ".join(f"{i + 1}-{j + 1}" for i, j in chosen)
    given = list(weights) if isinstance(weights, Sequence) else [weights]
    numbers = all(isinstance(w, int | float) for w in given)
    if not isinstance(weights, Sequence) or not numbers or len(given) != len(chosen):
        raise InputError(
            f"pair_weights: expected {len(chosen)} numbers, of the views {named}, got {weights}"
        )
    if min(weights) < 0 or max(weights) <= 0:
        raise InputError(
            f"pair_weights: expected numbers >= 0, not all 0, got {[*weights]} for {named}"
        )
    return [float(w) for w in weights]


def pair_scores(z: Sequence[Float[Tensor, "k d"]], temperature: float) -> list[Tensor]:
    """Return the scores of every pair of views i < j, `(k, k)` each (the full graph)."""
    return [cosine_scores(z[i], z[j], temperature) for i, j in pairs(len(z))]


def total(losses: Sequence[Float[Tensor, ""]], weights: Sequence[float]) -> Float[Tensor, ""]:
    """Return the weighted sum of the losses of pairs."""
    return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum()
