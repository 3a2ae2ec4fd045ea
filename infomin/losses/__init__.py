"""Losses: pure functions of scores or embeddings in nats."""

from infomin.losses.in_blocks import infonce_in_blocks
from infomin.losses.infonce import (
    cosine_scores,
    info_nce,
    infonce,
    softmax,
    split_positives,
    top1,
)
from infomin.losses.multiview import (
    BOTH_DIRECTIONS,
    check_pair_weights,
    directions,
    pair_scores,
    view_pairs,
    weighted_sum,
)
from infomin.losses.sampled import estimated_log_z, logistic, triplet

__all__ = [
    "BOTH_DIRECTIONS",
    "check_pair_weights",
    "cosine_scores",
    "directions",
    "estimated_log_z",
    "info_nce",
    "infonce",
    "infonce_in_blocks",
    "logistic",
    "pair_scores",
    "softmax",
    "split_positives",
    "top1",
    "triplet",
    "view_pairs",
    "weighted_sum",
]
