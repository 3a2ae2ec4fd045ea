"""Pretraining: images per second of `budget=small` (fourconv, 32 px, batch 256, two crops).

Ours is `Trainer` with CMC on resident data, in the precision that `auto` chooses and in float32, on
raw YDbDr views and on learned views (colour table). The rivals, on the same 4,096 images:

* the same two encoders and loss in float32, with torch's DataLoader: 2 workers, torchvision's
  transforms v2 on single images;
* lightly's SimCLR: SimCLRTransform in a DataLoader with 2 workers, one shared network of the same
  kind with 3 input channels, NTXentLoss. Its augmentation does more (jitter, grey, blur), which is
  part of the cost of that recipe;
* lightly with our crop and flip only, so that the work on the images is the same.

Targets: at least 4 x lightly; at most 5 % of the time for data; more floating-point operations per
second than in float32 matrix products on this machine. Operations are those of the encoders,
without crops, divided by the time of the whole step.
"""

import itertools
import sys
import time

import small
import torch
from lightly.loss import NTXentLoss
from lightly.transforms.simclr_transform import SimCLRTransform
from rivals import BATCH, SKIP, TwoCrops, fed, pictures
from rows import Row, main
from timing import Measure, interleaved, rate
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from infomin.data.photos import photos
from infomin.losses import infonce, pair_scores
from infomin.training.trainer import Trainer
from infomin.views import ChannelViews, LearnedViews
from infomin.views.color_table import ColorTable

SIDE = 2048  # of the matrices whose product measures the machine


def ours(trainer: Trainer, steps: int, waiting: list[float]) -> Measure:
    """Return a contender: images per second; appends the share of time for data to `waiting`."""
    endless = iter(trainer)

    def measure() -> float:
        for _ in itertools.islice(endless, SKIP):
            pass
        began = time.perf_counter()
        waited = sum(metrics["data_seconds"] for metrics in itertools.islice(endless, steps))
        seconds = time.perf_counter() - began
        waiting.append(waited / seconds)
        return steps * BATCH / seconds

    return measure


def flops(trainer: Trainer) -> float:
    """Count the floating-point operations of encoders and loss, forward and backward."""
    views = trainer.loader.views(*(torch.rand(BATCH, 3, 32, 32) for _ in range(2)))
    with FlopCounterMode(display=False) as counter:
        with trainer.fabric.autocast():
            z = trainer.method.encoders(views)
        infonce(pair_scores(z, 0.1)[0]).backward()
    return float(counter.get_total_flops())


def measure(quick: bool) -> list[Row]:
    """Measure all contenders in turn."""
    images = photos(train=1536 if quick else 4096).train.images
    steps, rounds = len(images) // BATCH - SKIP, 1 if quick else 7
    raw = small.pretraining(ChannelViews(color="ydbdr"), images)
    full = small.pretraining(ChannelViews(color="ydbdr"), images, "32-true")
    g = small.generator().eval().requires_grad_(False)
    learned = small.pretraining(LearnedViews(g, table=ColorTable(g)), images)

    pair, single, ntxent = small.encoders(1, 2), small.encoders(3).encoders[0], NTXentLoss(0.1)
    pil, simclr = pictures(images), SimCLRTransform(input_size=32)
    crop_flip = SimCLRTransform(
        input_size=32, min_scale=0.5, cj_prob=0, random_gray_scale=0, gaussian_blur=0
    )

    def two_encoders(views: list[Tensor]) -> Tensor:
        return infonce(pair_scores(pair(views), 0.1)[0])

    def one_encoder(views: list[Tensor]) -> Tensor:
        return ntxent(single(views[0]), single(views[1]))

    waiting: dict[str, list[float]] = {"raw": [], "learned": [], "full": []}
    matrix = torch.randn(SIDE, SIDE)
    half = matrix.bfloat16()
    m = interleaved(
        {
            "raw": ours(raw, steps, waiting["raw"]),
            "learned": ours(learned, steps, waiting["learned"]),
            "full": ours(full, steps, waiting["full"]),
            "torchvision": fed(images, TwoCrops(), pair, two_encoders),
            "lightly": fed(pil, simclr, single, one_encoder),
            "lightly, crop": fed(pil, crop_flip, single, one_encoder),
            "float32 matmul": rate(lambda: matrix @ matrix, 2e-9 * SIDE**3),
            "bfloat16 matmul": rate(lambda: half @ half, 2e-9 * SIDE**3),
        },
        rounds,
    )
    operations = flops(raw) / BATCH * 1e-9
    print(f"{operations:.4f} GFLOP per image", file=sys.stderr)
    speed = [operations * images_per_second for images_per_second in m["raw"]]

    precision = raw.fabric.strategy.precision.precision
    raw_quantity, learned_quantity, full_quantity = (
        f"pretraining, {kind}"
        for kind in (f"raw views, {precision}", f"learned views, {precision}", "raw views, float32")
    )
    unit, arithmetic = "images/s", f"arithmetic of pretraining, {precision}"
    simple = "DataLoader + torchvision, float32"
    return [
        Row(raw_quantity, unit, m["raw"], "lightly SimCLR", m["lightly"], least=4),
        Row(learned_quantity, unit, m["learned"], "lightly SimCLR", m["lightly"], least=4),
        Row(raw_quantity, unit, m["raw"], "lightly, crop and flip only", m["lightly, crop"]),
        Row(raw_quantity, unit, m["raw"], simple, m["torchvision"]),
        Row(full_quantity, unit, m["full"], simple, m["torchvision"]),
        Row("time for data, raw views", "of 1", waiting["raw"][1:], most=0.05),
        Row("time for data, learned views", "of 1", waiting["learned"][1:], most=0.05),
        Row(arithmetic, "GFLOP/s", speed, "float32 matmul", m["float32 matmul"], least=1),
        Row(arithmetic, "GFLOP/s", speed, "bfloat16 matmul", m["bfloat16 matmul"]),
    ]


if __name__ == "__main__":
    main(measure)
