"""Evaluation of frozen encoders: features once, then linear probes and kNN on them, an audit."""

from infomin.evaluation.audit import Survival, audit, audit_encoder, survival
from infomin.evaluation.evaluate import classifier_accuracy, evaluate
from infomin.evaluation.features import (
    extract,
    held_out_embeddings,
    held_out_i_nce,
    i_nce_between,
    sizes,
)
from infomin.evaluation.knn import knn_accuracy
from infomin.evaluation.linear_probe import ProbeResult, linear_probe
from infomin.evaluation.moving import held_out_pairs, read_out, supervised_errors
from infomin.evaluation.prediction import PredictionError, predict, prediction_errors
from infomin.evaluation.ridge import RidgeResult, ridge_probe

__all__ = [
    "PredictionError",
    "ProbeResult",
    "RidgeResult",
    "Survival",
    "audit",
    "audit_encoder",
    "classifier_accuracy",
    "evaluate",
    "extract",
    "held_out_embeddings",
    "held_out_i_nce",
    "held_out_pairs",
    "i_nce_between",
    "knn_accuracy",
    "linear_probe",
    "predict",
    "prediction_errors",
    "read_out",
    "ridge_probe",
    "sizes",
    "supervised_errors",
    "survival",
]
