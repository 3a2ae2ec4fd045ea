"""Negatives from a memory bank: loss, gradient and update of a step, against the authors' code.

50,000 samples, embeddings of 128 numbers, batch 128, K = 4,096 and 16,384; logistic NCE and
softmax. There are no encoders: a step computes the gradients of given embeddings. Ours, here
memory=bank_shared, samples negatives once per batch: scores are one matrix product. The rival
gathers B x K rows. Memory is the increase of the peak in a step.

Targets at K = 16,384: at least 20 x as many steps, at most a twentieth of the memory.
"""

from collections.abc import Callable
from itertools import count

import torch
from gather import GatherBank
from memory import afresh, peak
from rows import Row, main
from timing import interleaved, rate
from torch import Tensor
from torch.nn import functional as F

from infomin.methods.base import Batch, Context
from infomin.methods.cmc import CMC
from infomin.models import build_encoders

SAMPLES, WIDTH, BATCH, TEMPERATURE = 50_000, 128, 128, 0.07
SIZES = (4_096, 16_384)
LOSSES = {"logistic NCE": "logistic", "softmax": "infonce"}


def embeddings() -> tuple[list[Tensor], Tensor]:
    """Return the embeddings of a batch of two views and the indices of its samples."""
    torch.manual_seed(0)
    z = [F.normalize(torch.randn(BATCH, WIDTH), dim=1).requires_grad_() for _ in range(2)]
    return z, torch.randperm(SAMPLES)[:BATCH]


def ours(loss: str, k: int) -> Callable[[], None]:
    """Return a step with the same negatives for all samples."""
    z, index = embeddings()
    unused = build_encoders("fourconv", [1, 1], size=1, dim=WIDTH, widths=[1], pools=0)
    context = Context(SAMPLES, BATCH, TEMPERATURE)
    memory = {"kind": "bank", "negatives": k, "draws": "shared", "mask_own": True}
    method, steps = CMC(unused, context, {"name": loss}, memory), count()

    def step() -> None:
        batch = Batch(index, next(steps))
        torch.autograd.grad(method.loss(dict(enumerate(z)), {}, batch).loss, z)
        method.update({view: each.detach() for view, each in enumerate(z)}, {}, batch)

    return step


def theirs(loss: str, k: int) -> Callable[[], None]:
    """Return a step with gathered negatives for each sample."""
    z, index = embeddings()
    bank = GatherBank(SAMPLES, WIDTH, k, TEMPERATURE, softmax=loss == "infonce")

    def step() -> None:
        torch.autograd.grad(bank(*z, index), z)

    return step


def measure(quick: bool) -> list[Row]:
    """Measure both implementations of both losses."""
    rows = []
    for k in SIZES[:1] if quick else SIZES:
        most, least = (1 / 20, 20) if k == SIZES[-1] else (None, None)
        for loss_name, loss in LOSSES.items():
            steps = {"ours": ours(loss, k), "theirs": theirs(loss, k)}
            m = interleaved(
                {name: afresh(rate(step, least=0.5)) for name, step in steps.items()},
                1 if quick else 7,
            )
            quantity = f"bank, {loss_name}, K = {k:,}"
            memory = {name: [peak(step) / 2**20] for name, step in steps.items()}
            rival = "gather and bmm"
            rows += [
                Row(quantity, "steps/s", m["ours"], rival, m["theirs"], least=least),
                Row(
                    f"{quantity}: peak memory",
                    "MiB",
                    memory["ours"],
                    rival,
                    memory["theirs"],
                    most=most,
                ),
            ]
    return rows


if __name__ == "__main__":
    main(measure)
