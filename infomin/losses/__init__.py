"""Losses: pure functions of scores, in nats, or of predicted pixels, in the units of a view."""

from infomin.losses.in_blocks import infonce_in_blocks
from infomin.losses.infonce import cosine_scores, infonce, matched
from infomin.losses.multiview import (
    BOTH_WAYS,
    GRAPHS,
    pair_scores,
    pairs,
    sides,
    total,
    ways,
    weights_of,
)
from infomin.losses.predictive import PREDICTIVE, l1, l2
from infomin.losses.sampled import apart, estimated_log_z, logistic, softmax, triplet

__all__ = [
    "BOTH_WAYS",
    "GRAPHS",
    "PREDICTIVE",
    "apart",
    "cosine_scores",
    "estimated_log_z",
    "infonce",
    "infonce_in_blocks",
    "l1",
    "l2",
    "logistic",
    "matched",
    "pair_scores",
    "pairs",
    "sides",
    "softmax",
    "total",
    "triplet",
    "ways",
    "weights_of",
]
