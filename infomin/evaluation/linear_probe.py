"""Linear probe: a linear classifier on frozen, standardised features.

Softmax regression with a penalty on the squared weights is a convex problem. It is solved to
convergence, so no learning rate and no number of epochs fits one encoder better than another.
Validation splits of the training set choose the penalty, the test set never does. The least
cross-entropy wins there: it is less noisy than accuracy. The classifier is fitted again with that
penalty on the whole training set.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError

PENALTIES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5)
"""Weights of half the squared norm, beside the *mean* cross-entropy: 1 / (C n) in scikit-learn."""
_ENOUGH = 500  # validation samples; smaller sets take several splits
_FLOAT64 = 2**22  # features of more numbers are kept in float32
_DERIVATIVE = 1e-4  # largest at a solution, nats; the tolerance of scikit-learn


@dataclass(frozen=True)
class ProbeResult:
    """Top-1 accuracy of a linear probe, shares within [0, 1].

    Attributes:
        test: with the chosen penalty on the test set, fitted on the whole training set. A test
            sample of a class that no training sample has counts as wrong.
        validation: with the chosen penalty on the validation splits, fitted on the rest of each.
        penalty: the chosen one.
        protocol: the procedure in one line.
    """

    test: float
    validation: float
    penalty: float
    protocol: str


def linear_probe(
    train: Float[Tensor, "n d"],
    train_labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m d"],
    test_labels: Int64[Tensor, " m"],
    penalties: Sequence[float] = PENALTIES,
    validation: float = 0.1,
    seed: int = 0,
) -> ProbeResult:
    """Fit softmax regressions to convergence, choose a penalty in validation, refit and test.

    Arguments:
        penalties: weights of half the squared norm, beside the mean cross-entropy in nats; tried
            from the middle on, until both neighbours of one do worse in validation.
        validation: share of `train` in a validation split. Small sets are split several times, up
            to 500 validation samples together.
        seed: of the splits.

    Raises:
        InputError: for features that are not finite, fewer than two classes, penalties that are not
            positive, or an empty part of the split.
    """
    if not penalties or min(penalties) <= 0:
        raise InputError(f"penalties: expected numbers > 0, got {[*penalties]}")
    classes, y = torch.unique(train_labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError("labels: expected at least 2 classes, got 1")
    held_out, rest = split_validation(len(train), validation, seed)
    splits = [held_out, *rest.split(len(held_out))][: -(-_ENOUGH // len(held_out))]
    x, x_test = standardised(train, test)
    gram = x.mT @ x / len(x)
    penalty, score, start = _choose(x, y, gram, splits, sorted(penalties))
    regression = _Regression(x, y, gram, start)
    weights, bias = regression.fit(penalty, tolerance=1e-7)
    if regression.derivative > _DERIVATIVE:  # float32 or its tolerance was too coarse
        x, x_test = x.double(), x_test.double()
        regression = _Regression(x, y, gram.double(), regression.solution.double())
        weights, bias = regression.fit(penalty, tolerance=1e-10)
    correct = classes[(x_test @ weights + bias).argmax(1)] == test_labels
    protocol = (
        f"linear, standardised frozen features, d={train.shape[1]}, softmax regression to "
        f"convergence, {len(penalties)} penalties, chosen on {sum(map(len, splits))} of "
        f"{len(train)} training images, fitted on all, {len(test)} test images"
    )
    return ProbeResult(correct.double().mean().item(), score, penalty, protocol)


def split_validation(n: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Return random indices of a validation split, and of the rest.

    Raises:
        InputError: if either part is empty.
    """
    held_out = round(share * n)
    if not 0 < held_out < n:
        raise InputError(f"validation: {share} of {n} samples leaves a part empty")
    order = torch.randperm(n, generator=rng.generator(seed, "validation"))
    return order[:held_out], order[held_out:]


def standardised(
    train: Float[Tensor, "n d"], test: Float[Tensor, "m d"]
) -> tuple[Float[Tensor, "n r"], Float[Tensor, "m r"]]:
    """Return features of mean 0 and deviation 1 in training; constant features become 0.

    With fewer samples than features, both are given in an orthonormal basis of the training
    samples. Norms and the solutions of penalised regressions stay the same.

    Raises:
        InputError: for features that are not finite.
    """
    if not (train.isfinite().all() and test.isfinite().all()):
        raise InputError("features: expected finite numbers, got NaN or infinity")
    mean = train.mean(0, dtype=torch.float64)
    x, x_test = train - mean, test - mean
    std = x.square().mean(0).sqrt()
    constant = std <= 1e-6 * mean.abs()  # rounding of float32
    scale = torch.where(constant, 0, 1 / torch.where(constant, 1, std))
    x, x_test = x * scale, x_test * scale
    if x.shape[0] < x.shape[1]:
        basis = torch.linalg.qr(x.mT).Q
        x, x_test = x @ basis, x_test @ basis
    exact = x.numel() <= _FLOAT64
    return (x, x_test) if exact else (x.float(), x_test.float())


def _choose(
    x: Tensor, y: Tensor, gram: Tensor, splits: Sequence[Tensor], path: Sequence[float]
) -> tuple[float, float, Tensor]:
    """Return the penalty of the least cross-entropy in validation, its accuracy and a solution.

    The cross-entropy falls and rises again along the path, so both directions from the middle are
    followed as long as it falls.
    """
    everything = torch.arange(len(x), device=x.device)
    zero = x.new_zeros(x.shape[1] + 1, int(y.max()) + 1)
    rests = [everything[~torch.isin(everything, split)] for split in splits]
    regressions = [_Regression(x[rest], y[rest], gram, zero) for rest in rests]
    truth = y[torch.cat([*splits])]

    def measure(penalty: float) -> tuple[float, float, Tensor]:
        solutions = [regression.fit(penalty, tolerance=1e-5) for regression in regressions]
        parts = [x[s] @ w + b for s, (w, b) in zip(splits, solutions, strict=True)]
        logits = torch.cat(parts)
        accuracy = (logits.argmax(1) == truth).double().mean().item()
        return F.cross_entropy(logits, truth).item(), accuracy, regressions[0].solution

    best = len(path) // 2
    tried = {best: measure(path[best])}
    for step in (1, -1):
        while 0 <= (i := best + step) < len(path) and i not in tried:
            tried[i] = measure(path[i])
            if tried[i][0] >= tried[best][0]:
                break
            best = i
    return path[best], *tried[best][1:]


class _Regression:
    """Softmax regressions with one penalty after another, each started at the last solution.

    L-BFGS works on U with W = L^-T U, where L L^T = c X'X / n + penalty is about the curvature of
    the loss. So correlated features take hardly more steps than others.

    Arguments:
        gram: about X'X / n.
        solution: where to start; the bias is the last row.

    Attributes:
        derivative: the largest one of the loss by a weight, at the last solution.
    """

    def __init__(
        self,
        x: Float[Tensor, "n d"],
        y: Int64[Tensor, " n"],
        gram: Float[Tensor, "d d"],
        solution: Float[Tensor, "d1 k"],
    ) -> None:
        self.x, self.y, self.gram, self.solution = x, y, gram, solution
        self.derivative = 0.0

    def fit(
        self, penalty: float, tolerance: float
    ) -> tuple[Float[Tensor, "d k"], Float[Tensor, " k"]]:
        """Return the weights and the bias of the least penalised loss.

        Arguments:
            tolerance: relative reduction of the loss in the last step.
        """
        x, y = self.x, self.y
        p = torch.addmm(self.solution[-1], x, self.solution[:-1]).softmax(1)
        curvature = (p * (1 - p)).mean().clamp(min=1e-4)
        system = curvature * self.gram
        system.diagonal().add_(penalty)
        lower, scale = torch.linalg.cholesky(system), curvature.sqrt()
        rows = torch.arange(len(x), device=x.device)

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            u = torch.from_numpy(flat).to(x).view_as(self.solution)
            weights = torch.linalg.solve_triangular(lower.mT, u[:-1], upper=True)
            bias = u[-1] / scale
            log_p = torch.addmm(bias, x, weights).double().log_softmax(1)
            value = penalty / 2 * weights.double().square().sum() - log_p[rows, y].mean()
            residual = log_p.exp_()
            residual[rows, y] -= 1
            residual = residual.to(x) / len(x)
            slope = (residual.mT @ x).mT + penalty * weights
            self.solution = torch.cat([weights, bias[None]])
            self.derivative = slope.abs().max().item()
            by_u = torch.linalg.solve_triangular(lower, slope, upper=False)
            gradient = torch.cat([by_u, residual.sum(0, keepdim=True) / scale])
            return value.item(), gradient.double().flatten().cpu().numpy()

        start = torch.cat([lower.mT @ self.solution[:-1], self.solution[-1:] * scale])
        flat = start.double().flatten().cpu().numpy()
        options = {"maxiter": 1000, "ftol": tolerance, "gtol": 1e-6}
        loss(minimize(loss, flat, jac=True, method="L-BFGS-B", options=options).x)
        return self.solution[:-1], self.solution[-1]
