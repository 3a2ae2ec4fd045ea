"""Losses: pure functions of scores or embeddings in nats, or of pixels in the unit of a view."""

from infomin.losses.in_blocks import infonce_in_blocks
from infomin.losses.infonce import (
    check_square,
    cosine_scores,
    info_nce,
    infonce,
    softmax,
    split_positives,
    top1,
)
from infomin.losses.multiview import (
    BOTH_DIRECTIONS,
    GRAPHS,
    anchors_and_others,
    check_pair_weights,
    directions,
    pair_scores,
    view_pairs,
    weighted_sum,
)
from infomin.losses.predictive import PREDICTIVE, l1, l2
from infomin.losses.sampled import estimated_log_z, logistic, triplet, valid_negatives

__all__ = [
    "BOTH_DIRECTIONS",
    "GRAPHS",
    "PREDICTIVE",
    "anchors_and_others",
    "check_pair_weights",
    "check_square",
    "cosine_scores",
    "directions",
    "estimated_log_z",
    "info_nce",
    "infonce",
    "infonce_in_blocks",
    "l1",
    "l2",
    "logistic",
    "pair_scores",
    "softmax",
    "split_positives",
    "top1",
    "triplet",
    "valid_negatives",
    "view_pairs",
    "weighted_sum",
]
