"""Evaluation of frozen encoders on their features: linear probe, kNN, factor probe, prediction."""

from infomin.evaluation.evaluate import classifier_accuracy, evaluate, knn_accuracy
from infomin.evaluation.factor_probe import (
    FactorReadout,
    probe_encoder,
    probe_factors,
    ridge_probe,
)
from infomin.evaluation.features import (
    extract,
    held_out_embeddings,
    held_out_i_nce,
    i_nce_between,
    sizes,
)
from infomin.evaluation.linear_probe import linear_probe
from infomin.evaluation.prediction import PredictionError, predict, prediction_errors

__all__ = [
    "FactorReadout",
    "PredictionError",
    "classifier_accuracy",
    "evaluate",
    "extract",
    "held_out_embeddings",
    "held_out_i_nce",
    "i_nce_between",
    "knn_accuracy",
    "linear_probe",
    "predict",
    "prediction_errors",
    "probe_encoder",
    "probe_factors",
    "ridge_probe",
    "sizes",
]
