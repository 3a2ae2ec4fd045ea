"""Slow, obvious versions of each formula, to hold the fast ones against."""

import math

import torch
from torch import Tensor


def infonce(scores: Tensor) -> float:
    """L_NCE by its definition, one sample and one direction at a time (CPC, eq. 4)."""
    k = len(scores)
    total = 0.0
    for i in range(k):
        row = sum(math.exp(scores[i, j]) for j in range(k))
        column = sum(math.exp(scores[j, i]) for j in range(k))
        total += -math.log(math.exp(scores[i, i]) / row) / 2
        total += -math.log(math.exp(scores[i, i]) / column) / 2
    return total / k


def nt_xent(z1: Tensor, z2: Tensor, temperature: float) -> float:
    """SimCLR, equation 1: every one of 2N embeddings against all others, its pair the positive."""
    z, n = torch.cat([z1, z2]), len(z1)
    total = 0.0
    for i in range(2 * n):
        scores = [float(z[i] @ z[k]) / temperature for k in range(2 * n)]
        others = sum(math.exp(scores[k]) for k in range(2 * n) if k != i)
        total -= math.log(math.exp(scores[(i + n) % (2 * n)]) / others)
    return total / (2 * n)


def sampled_softmax(positive: Tensor, negatives: Tensor) -> float:
    """The k+1-way contrast, one anchor at a time (CMC, eq. 2 and appendix)."""
    total = 0.0
    for p, row in zip(positive, negatives, strict=True):
        below = math.exp(p) + sum(math.exp(n) for n in row)
        total -= math.log(math.exp(p) / below)
    return total / len(positive)


def logistic(positive: Tensor, negatives: Tensor, z: float, samples: int) -> float:
    """NCE, probability by probability (InstDis, eq. 8; CMC's NCECriterion)."""
    m = negatives.shape[1]
    noise = m / samples
    total = 0.0
    for p, row in zip(positive, negatives, strict=True):
        h = math.exp(p) / z
        total -= math.log(h / (h + noise))
        for n in row:
            total -= math.log(noise / (math.exp(n) / z + noise))
    return total / len(positive)


def byol(predictions: list[Tensor], targets: list[Tensor]) -> float:
    """BYOL, equation 2: squared distances of directions, both ways, a sum over pairs of views."""
    total = 0.0
    for i in range(len(predictions)):
        for j in range(len(targets)):
            if i != j:
                for q, z in zip(predictions[i], targets[j], strict=True):
                    distance = (q / q.norm() - z / z.norm()).square().sum()
                    total += float(distance) / len(predictions[i])
    return total


def vicreg(z1: Tensor, z2: Tensor, weights: tuple[float, float, float]) -> float:
    """VICReg, equations 1 to 6, with s over dimensions and half of v as in the authors' code."""
    n, d = z1.shape
    s = sum(float((z1[k] - z2[k]).square().sum()) for k in range(n)) / n / d
    v = c = 0.0
    for z in (z1, z2):
        mean = [sum(float(z[k, a]) for k in range(n)) / n for a in range(d)]
        for a in range(d):
            for b in range(d):
                products = [
                    (float(z[k, a]) - mean[a]) * (float(z[k, b]) - mean[b]) for k in range(n)
                ]
                covariance = sum(products) / (n - 1)
                if a == b:
                    v += max(0.0, 1 - math.sqrt(covariance + 1e-4)) / d / 2
                else:
                    c += covariance**2 / d
    return weights[0] * s + weights[1] * v + weights[2] * c


def pixel_error(predicted: Tensor, target: Tensor, power: int) -> float:
    """Mean of |p - v| or (p - v)^2, pixel by pixel."""
    errors = [
        abs(p - v) ** power
        for p, v in zip(predicted.flatten().tolist(), target.flatten().tolist(), strict=True)
    ]
    return sum(errors) / len(errors)


def cmc_bank_step(
    bank: Tensor, other: Tensor, z: Tensor, index: Tensor, drawn: Tensor, t: float, momentum: float
) -> tuple[Tensor, Tensor]:
    """Scores of anchors z with another view's bank, and z's own bank afterwards.

    As CMC's NCEAverage: `drawn` is `(b, 1 + K)` with the own index first, rows are gathered for
    every anchor and multiplied one by one; then the rows of the batch move.
    """
    weight = other[drawn.flatten()].view(*drawn.shape, -1)
    scores = torch.bmm(weight, z[:, :, None])[:, :, 0] / t
    rows = bank[index] * momentum + z * (1 - momentum)
    bank = bank.clone()
    bank[index] = rows / rows.pow(2).sum(1, keepdim=True).sqrt()
    return scores, bank


def donsker_varadhan(scores: Tensor) -> float:
    """E_joint[s] - log E_independent[exp s], pair by pair."""
    k = len(scores)
    others = [math.exp(scores[i, j]) for i in range(k) for j in range(k) if i != j]
    return sum(float(scores[i, i]) for i in range(k)) / k - math.log(sum(others) / len(others))


def nwj(scores: Tensor) -> float:
    """1 + E_joint[s] - E_independent[exp s], pair by pair."""
    k = len(scores)
    others = [math.exp(scores[i, j]) for i in range(k) for j in range(k) if i != j]
    return 1 + sum(float(scores[i, i]) for i in range(k)) / k - sum(others) / len(others)


def coupling(
    x: Tensor, passed: list[int], weights: list[tuple[Tensor, Tensor]], kind: str, bound: float
) -> Tensor:
    """A coupling by slicing and putting back, one row at a time (RealNVP, eq. 7-8)."""
    changed = [i for i in range(x.shape[1]) if i not in passed]
    rows = []
    for row in x:
        h = row[passed]
        for weight, bias in weights[:-1]:
            h = (weight @ h + bias).relu()
        out = weights[-1][0] @ h + weights[-1][1]
        y = row.clone()
        for place, channel in enumerate(changed):
            shift = out[place]
            if kind == "additive":
                y[channel] = row[channel] + shift
            else:
                scale = torch.exp(bound * torch.tanh(out[len(changed) + place]))
                y[channel] = row[channel] * scale + shift
        rows.append(y)
    return torch.stack(rows)


def knn(train: Tensor, labels: Tensor, test: Tensor, k: int, temperature: float) -> list[int]:
    """Weighted cosine kNN, one test sample at a time (Wu et al. 2018)."""
    guesses = []
    for x in test:
        cosine = torch.tensor([float(x @ t / (x.norm() * t.norm())) for t in train])
        votes: dict[int, float] = {}
        for i in cosine.argsort(descending=True)[:k].tolist():
            label = int(labels[i])
            votes[label] = votes.get(label, 0.0) + math.exp(cosine[i] / temperature)
        guesses.append(max(votes, key=lambda label: votes[label]))
    return guesses


def segmentation(truth: Tensor, guess: Tensor, ignored: int) -> tuple[float, float]:
    """Mean IoU over the true classes and pixel accuracy, one class at a time, by sets of pixels."""
    known = [i for i, label in enumerate(truth.flatten().tolist()) if label != ignored]
    true = {i: truth.flatten()[i].item() for i in known}
    guessed = {i: guess.flatten()[i].item() for i in known}
    shares = []
    for label in set(true.values()):
        a = {i for i in known if true[i] == label}
        b = {i for i in known if guessed[i] == label}
        shares.append(len(a & b) / len(a | b))
    right = sum(true[i] == guessed[i] for i in known)
    return sum(shares) / len(shares), right / len(known)


def bouncing(start: Tensor, velocity: Tensor, frames: int, span: float) -> Tensor:
    """Positions of one point between walls at 0 and `span`, one frame and one axis at a time."""
    at, by, seen = start.tolist(), velocity.tolist(), []
    for _ in range(frames):
        seen.append(list(at))
        for axis in range(2):
            at[axis] += by[axis]
            while not 0 <= at[axis] <= span:
                at[axis] = -at[axis] if at[axis] < 0 else 2 * span - at[axis]
                by[axis] = -by[axis]
    return torch.tensor(seen)


def pasted(ground: Tensor, digit: Tensor, top: int, left: int) -> Tensor:
    """A white digit on a background `3 h w`, pixel by pixel."""
    frame = ground.clone()
    for row in range(len(digit)):
        for column in range(len(digit)):
            ink = float(digit[row, column])
            place = frame[:, top + row, left + column]
            frame[:, top + row, left + column] = ink + (1 - ink) * place
    return frame


def ridge(x: Tensor, y: Tensor, wanted: Tensor, penalty: float) -> Tensor:
    """Ridge regression on standardised features, by the normal equations."""
    mean, std, middle = x.mean(0), x.std(0), y.mean(0)
    x, wanted = (x - mean) / std, (wanted - mean) / std
    weights = torch.linalg.inv(x.T @ x + len(x) * penalty * torch.eye(x.shape[1]))
    return wanted @ weights @ x.T @ (y - middle) + middle


def with_absences(
    z: list[list[Tensor | None]], pairs: list[tuple[int, int]], t: float
) -> tuple[float, list[float]]:
    """The sum over pairs of InfoNCE among the samples that have both views, and each I_NCE.

    `z[i][n]` is the embedding of view i of sample n, None where there is none.
    """
    total, shared = 0.0, []
    for i, j in pairs:
        met = [(a, b) for a, b in zip(z[i], z[j], strict=True) if a is not None and b is not None]
        if len(met) < 2:
            continue
        scores = torch.tensor([[float(a @ b) / t for _, b in met] for a, _ in met])
        total += infonce(scores)
        shared.append(math.log(len(met)) - infonce(scores))
    return total, shared


def alignment(z1: Tensor, z2: Tensor, alpha: float) -> float:
    """Wang and Isola's alignment, one positive at a time."""
    total = 0.0
    for a, b in zip(z1, z2, strict=True):
        squares = sum((p / a.norm() - q / b.norm()) ** 2 for p, q in zip(a, b, strict=True))
        total += math.sqrt(squares) ** alpha
    return total / len(z1)


def uniformity(z: Tensor, t: float) -> float:
    """Wang and Isola's uniformity, one pair of different samples at a time."""
    potentials = [
        math.exp(-t * float((a / a.norm() - b / b.norm()).square().sum()))
        for i, a in enumerate(z)
        for b in z[:i]
    ]
    return math.log(sum(potentials) / len(potentials))


def deviation(z: Tensor) -> float:
    """SimSiam's collapse measure over its value on the sphere, one coordinate at a time."""
    n, d = z.shape
    total = 0.0
    for k in range(d):
        values = [float(row[k] / row.norm()) for row in z]
        mean = sum(values) / n
        total += math.sqrt(sum((v - mean) ** 2 for v in values) / n)
    return total / d / (1 / math.sqrt(d))


def effective_rank(x: Tensor) -> float:
    """Roy and Vetterli's effective rank, from the singular values themselves."""
    values = torch.linalg.svdvals(x / x.norm(dim=1, keepdim=True))
    entropy = 0.0
    for value in values:
        share = float(value / values.sum())
        if share > 0:
            entropy -= share * math.log(share)
    return math.exp(entropy)
