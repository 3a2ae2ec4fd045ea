r"""A linear map from frozen features to numbers: ridge regression, in closed form.

With standardised features X and X'X / n = V diag(s) V', the solution for every penalty is
V diag(1 / (s + penalty)) V' X'y / n, so one decomposition serves them all. The penalty is chosen on
a validation split of the training set, never on test, and the solution is computed once more from
the whole training set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import InputError, positive


@dataclass(frozen=True)
class RidgeResult:
    """How far a linear map misses, in the units of the target.

    Attributes:
        test: mean Euclidean distance between target and prediction, on the test set.
        validation: of the chosen penalty, on the validation split, fitted on the rest.
        penalty: the one chosen.
        protocol: how it came about, in one line.
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
    """Fit ridge regressions, choose one on validation, fit it on everything, and test it.

    Arguments:
        train, test: frozen features.
        train_targets, test_targets: numbers to be read out, such as a position.
        penalties: of the squared weights, beside the *mean* squared error.
        validation: share of `train` that chooses.
        seed: of that split.

    Raises:
        InputError: for a penalty that is not above 0, or a split that leaves a part empty.
    """
    for penalty in penalties:
        positive("penalties", penalty)
    held = round(validation * len(train))
    if not 0 < held < len(train):
        raise InputError(f"validation: {validation} of {len(train)} samples leaves a part empty")
    order = torch.randperm(len(train), generator=rng.generator(seed, "validation"))
    chosen, fitted = order[:held], order[held:]
    x, y = train.double(), train_targets.double()
    guesses = _predict(x[fitted], y[fitted], x[chosen], penalties)
    errors = [mean_distance(guess, y[chosen]) for guess in guesses]
    best = min(range(len(errors)), key=errors.__getitem__)
    (guess,) = _predict(x, y, test.double(), penalties[best : best + 1])
    protocol = (
        f"ridge, standardised frozen features, d={train.shape[1]}, {len(penalties)} penalties, "
        f"chosen on {held} of {len(train)} training samples, fitted on all, {len(test)} test "
        "samples"
    )
    found = mean_distance(guess, test_targets.double())
    return RidgeResult(found, errors[best], penalties[best], protocol)


def mean_distance(guess: Float[Tensor, "n k"], truth: Float[Tensor, "n k"]) -> float:
    """Return the mean Euclidean distance between predictions and targets."""
    return (guess - truth).norm(dim=1).mean().item()


def _predict(
    x: Tensor, y: Tensor, wanted: Tensor, penalties: Sequence[float]
) -> list[Float[Tensor, "m k"]]:
    """Return the predictions at `wanted` of the solution for every penalty."""
    mean, std = x.mean(0), x.std(0).clamp(min=1e-5)
    x, wanted, middle = (x - mean) / std, (wanted - mean) / std, y.mean(0)
    values, vectors = torch.linalg.eigh(x.mT @ x / len(x))
    along = vectors.mT @ (x.mT @ (y - middle)) / len(x)
    turned = wanted @ vectors
    return [
        turned @ (along / (values.clamp(min=0) + penalty)[:, None]) + middle
        for penalty in penalties
    ]
