r"""Ridge probe: a linear map from frozen features to numbers, in closed form.

With standardised features X and X'X / n = V diag(s) V', the solution for every penalty is
V diag(1 / (s + penalty)) V' X'y / n, so all penalties share one decomposition. A validation split
of the training set chooses the penalty, never the test set. The solution is then computed again
from the whole training set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core.errors import positive
from infomin.evaluation.linear_probe import split_validation


@dataclass(frozen=True)
class RidgeResult:
    """Mean Euclidean distance between prediction and target, in the unit of the target.

    Attributes:
        test: with the chosen penalty on the test set, fitted on the whole training set.
        validation: with the chosen penalty on the validation split, fitted on the rest.
        penalty: the chosen penalty.
        protocol: the procedure in one line.
    """

    test: float
    validation: float
    penalty: float
    protocol: str


def ridge_probe(
    train: Float[Tensor, "n d"],
    train_targets: Float[Tensor, "n k"],
    test: Float[Tensor, "m d"],
    test_targets: Float[Tensor, "m k"],
    penalties: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    validation: float = 0.1,
    seed: int = 0,
) -> RidgeResult:
    """Fit ridge regressions, choose one on the validation split, refit it and test it.

    Arguments:
        train, test: frozen features.
        train_targets, test_targets: numbers, such as a position.
        penalties: weights of the squared norm, beside the *mean* squared error.
        validation: share of `train` in the validation split.
        seed: of the split.

    Raises:
        InputError: for a penalty that is not > 0, or an empty part of the split.
    """
    for penalty in penalties:
        positive("penalties", penalty)
    held_out, fitted = split_validation(len(train), validation, seed)
    x, y = train.double(), train_targets.double()
    predictions = _predict(x[fitted], y[fitted], x[held_out], penalties)
    errors = [mean_distance(prediction, y[held_out]) for prediction in predictions]
    best = min(range(len(errors)), key=errors.__getitem__)
    (prediction,) = _predict(x, y, test.double(), penalties[best : best + 1])
    protocol = (
        f"ridge, standardised frozen features, d={train.shape[1]}, {len(penalties)} penalties, "
        f"chosen on {len(held_out)} of {len(train)} training samples, fitted on all, "
        f"{len(test)} test samples"
    )
    error = mean_distance(prediction, test_targets.double())
    return RidgeResult(error, errors[best], penalties[best], protocol)


def mean_distance(prediction: Float[Tensor, "n k"], truth: Float[Tensor, "n k"]) -> float:
    """Return the mean Euclidean distance between predictions and targets."""
    return (prediction - truth).norm(dim=1).mean().item()


def _predict(
    x: Tensor, y: Tensor, test: Tensor, penalties: Sequence[float]
) -> list[Float[Tensor, "m k"]]:
    """Return the predictions for `test`, one tensor per penalty."""
    mean, std = x.mean(0), x.std(0).clamp(min=1e-5)
    x, test, offset = (x - mean) / std, (test - mean) / std, y.mean(0)
    values, vectors = torch.linalg.eigh(x.mT @ x / len(x))
    covariance = vectors.mT @ (x.mT @ (y - offset)) / len(x)
    rotated = test @ vectors
    return [
        rotated @ (covariance / (values.clamp(min=0) + penalty)[:, None]) + offset
        for penalty in penalties
    ]
