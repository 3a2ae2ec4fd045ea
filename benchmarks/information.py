"""The held-out estimate of I_NCE at large K: seconds and memory for 1,024, 8,192 and 65,536 pairs.

n = K pairs of embeddings of 128 numbers, in both directions, by the cosine critic. The rival is the
direct code: all K x K scores at once, then logsumexp over rows and columns. At K = 65,536 these
scores take 17 GB, so that only ours runs.

Targets: peak memory at K = 65,536 at most twice that at 8,192; time per pair at K = 8,192 no longer
than with all scores at once.
"""

import math
from functools import partial

import torch
from memory import afresh, peak
from rows import Row, main
from timing import interleaved, rate
from torch import Tensor
from torch.nn import functional as F

from infomin.information import CosineCritic, Estimate, estimate

WIDTH = 128  # of embeddings
TEMPERATURE = 0.1
SIZES = (2**10, 2**13, 2**16)
DENSE = SIZES[:2]


def pairs(n: int) -> tuple[Tensor, Tensor]:
    """Return correlated unit vectors."""
    torch.manual_seed(0)
    z1 = torch.randn(n, WIDTH)
    z2 = z1 + torch.randn(n, WIDTH)
    return F.normalize(z1, dim=1), F.normalize(z2, dim=1)


def ours(z1: Tensor, z2: Tensor) -> Estimate:
    """Estimate in blocks of scores."""
    generator = torch.Generator().manual_seed(0)
    return estimate(z1, z2, CosineCritic(TEMPERATURE), len(z1), generator, resamples=10)


def dense(z1: Tensor, z2: Tensor) -> float:
    """Estimate from all scores at once."""
    scores = F.normalize(z1, dim=1) @ F.normalize(z2, dim=1).T / TEMPERATURE
    both = scores.logsumexp(1) + scores.logsumexp(0)
    return (scores.diagonal() - both / 2).mean().item() + math.log(len(z1))


def measure(quick: bool) -> list[Row]:
    """Measure all sizes on the same embeddings."""
    sizes = SIZES[:2] if quick else SIZES
    data = {k: pairs(k) for k in sizes}
    for k in DENSE:
        difference = abs(ours(*data[k]).value - dense(*data[k]))
        assert difference < 1e-4, f"K = {k}: the two estimates differ by {difference}"
    contenders = {f"ours {k}": afresh(rate(partial(ours, *data[k]), k)) for k in DENSE}
    contenders |= {f"dense {k}": afresh(rate(partial(dense, *data[k]), k)) for k in DENSE}
    m = interleaved(contenders, 1 if quick else 5)
    for k in sizes[2:]:  # tens of seconds each
        m[f"ours {k}"] = [rate(partial(ours, *data[k]), k)() for _ in range(2)]
    rows, most = [], {}
    for k in sizes:
        seconds = [1e6 / rate for rate in m[f"ours {k}"]]
        theirs = [1e6 / rate for rate in m[f"dense {k}"]] if k in DENSE else []
        rival = "all scores at once" if theirs else ""
        bound = 1.0 if k == DENSE[-1] else None
        rows.append(Row(f"I_NCE, K = {k:,}", "us/pair", seconds, rival, theirs, most=bound))
    for k in sizes:
        most[k] = peak(partial(ours, *data[k])) / 2**20
        theirs = [peak(partial(dense, *data[k])) / 2**20] if k in DENSE else []
        rival = "all scores at once" if theirs else ""
        rows.append(Row(f"I_NCE, K = {k:,}: peak memory", "MiB", [most[k]], rival, theirs))
    if not quick:
        below = f"K = {SIZES[1]:,}"
        growth = "peak memory of I_NCE, K = 65,536"
        rows.append(Row(growth, "MiB", [most[SIZES[2]]], below, [most[SIZES[1]]], most=2))
    return rows


if __name__ == "__main__":
    main(measure)
