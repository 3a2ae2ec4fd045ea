"""Evaluation of frozen encoders: features once, then a linear probe and kNN on them."""

from infomin.evaluation.features import (
    extract,
    held_out_embeddings,
    held_out_i_nce,
    i_nce_between,
    sizes,
)
from infomin.evaluation.judge import classifier_accuracy, judge
from infomin.evaluation.knn import knn_accuracy
from infomin.evaluation.linear_probe import ProbeResult, linear_probe

__all__ = [
    "ProbeResult",
    "classifier_accuracy",
    "extract",
    "held_out_embeddings",
    "held_out_i_nce",
    "i_nce_between",
    "judge",
    "knn_accuracy",
    "linear_probe",
    "sizes",
]
