"""Pretraining: images a second of `budget=small` (fourconv, 32 px, batch 256, two crops).

Ours is `Pretraining` on resident data, in the precision that `auto` chooses and in float32, on raw
YDbDr views and on learned ones (colour table). Against it, all on the same 4,096 images:

* the same two towers and loss in float32, fed by torch's DataLoader: 2 workers, torchvision's
  transforms v2 sample by sample;
* lightly's SimCLR: SimCLRTransform in a DataLoader with 2 workers, one shared net of the same
  make with 3 input channels, NTXentLoss. Its augmentation does more (jitter, grey, blur), which is
  part of what that recipe costs;
* lightly cut down to our crop and flip, so that the work on the images is the same.

Targets: at least 4 x lightly; at most 5 % of the time for data; more floating-point operations a
second than this machine multiplies float32 matrices with. Counted are those of the encoders, not
those of the crops, and divided by the time of the whole step.
"""

import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import small
import torch
from lightly.loss import NTXentLoss
from lightly.transforms.simclr_transform import SimCLRTransform
from PIL import Image
from rows import Row, main
from timing import Measure, interleaved, rate
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.transforms import v2

from infomin.color import linear_space
from infomin.data import photos
from infomin.losses import infonce, pair_scores
from infomin.training.contrastive import Pretraining
from infomin.views import ChannelViews, LearnedViews

BATCH, WORKERS, SIDE = 256, 2, 2048
SKIP = 4  # steps before the clock runs: workers start and queues fill


class Transformed(Dataset[Any]):
    """Resident images, transformed one by one in the workers."""

    def __init__(self, images: Any, transform: Callable[[Any], Any]) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> Any:
        return self.transform(self.images[i])


class TwoCrops:
    """Y of one crop and DbDr of another, with torchvision."""

    def __init__(self) -> None:
        crop = v2.RandomResizedCrop(32, scale=(0.5, 1.0))
        self.cut = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToDtype(torch.float32, True)])
        self.space = linear_space("ydbdr", normalize=True)

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return two views of one image."""
        first, second = (self.cut(image).flatten(1) for _ in range(2))
        y, dbdr = (self.space.matrix @ x + self.space.offset[:, None] for x in (first, second))
        return y[:1].view(1, 32, 32), dbdr[1:].view(2, 32, 32)


def ours(learner: Pretraining, steps: int, waiting: list[float]) -> Measure:
    """Images a second of a learner; leaves the share of the time that went into data."""
    endless = iter(learner)

    def measure() -> float:
        for _ in itertools.islice(endless, SKIP):
            pass
        began = time.perf_counter()
        waited = sum(metrics["data_seconds"] for metrics in itertools.islice(endless, steps))
        seconds = time.perf_counter() - began
        waiting.append(waited / seconds)
        return steps * BATCH / seconds

    return measure


def fed(loader: DataLoader[Any], net: nn.Module, loss_of: Callable[[Any], Tensor]) -> Measure:
    """Images a second of a plain training loop, for one pass through a loader."""
    net.train()
    optimizer = small.optimizer()(net.parameters())

    def measure() -> float:
        began = 0.0
        for step, batch in enumerate(loader):
            if step == SKIP:
                began = time.perf_counter()
            loss = loss_of(batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()  # to be shown to somebody, as ours is
        return (step + 1 - SKIP) * BATCH / (time.perf_counter() - began)

    return measure


def flops(learner: Pretraining) -> float:
    """Count the floating-point operations of encoders and loss in one step, both ways."""
    views = learner.views(*(torch.rand(BATCH, 3, 32, 32) for _ in range(2)))
    with FlopCounterMode(display=False) as counter:
        with learner.fabric.autocast():
            z = learner.towers(views)
        infonce(pair_scores(z, 0.1)[0]).backward()
    return float(counter.get_total_flops())


def measure(quick: bool) -> list[Row]:
    """Measure everything in one go."""
    images = photos(train=2048 if quick else 4096).train.images
    steps, rounds = len(images) // BATCH - SKIP, 1 if quick else 7
    load = partial(DataLoader, batch_size=BATCH, shuffle=True, drop_last=True, num_workers=WORKERS)
    raw = small.pretraining(ChannelViews(color="ydbdr"), images)
    full = small.pretraining(ChannelViews(color="ydbdr"), images, "32-true")
    learned = small.pretraining(LearnedViews(small.generator(), table=True), images)

    pair, single, ntxent = small.towers(1, 2), small.towers(3).towers[0], NTXentLoss(0.1)
    torchvision = load(Transformed(images, TwoCrops()))
    pictures = [Image.fromarray(image.numpy()) for image in images.permute(0, 2, 3, 1)]
    simclr = SimCLRTransform(input_size=32)
    crop_flip = SimCLRTransform(
        input_size=32, min_scale=0.5, cj_prob=0, random_gray_scale=0, gaussian_blur=0
    )

    def two_towers(views: list[Tensor]) -> Tensor:
        return infonce(pair_scores(pair(views), 0.1)[0])

    def one_net(views: list[Tensor]) -> Tensor:
        return ntxent(single(views[0]), single(views[1]))

    waiting: dict[str, list[float]] = {"raw": [], "learned": [], "full": []}
    matrix = torch.randn(SIDE, SIDE)
    half = matrix.bfloat16()
    m = interleaved(
        {
            "raw": ours(raw, steps, waiting["raw"]),
            "learned": ours(learned, steps, waiting["learned"]),
            "full": ours(full, steps, waiting["full"]),
            "torchvision": fed(torchvision, pair, two_towers),
            "lightly": fed(load(Transformed(pictures, simclr)), single, one_net),
            "lightly, crop": fed(load(Transformed(pictures, crop_flip)), single, one_net),
            "float32 matmul": rate(lambda: matrix @ matrix, 2e-9 * SIDE**3),
            "bfloat16 matmul": rate(lambda: half @ half, 2e-9 * SIDE**3),
        },
        rounds,
    )
    operations = flops(raw) / BATCH * 1e-9
    print(f"{operations:.4f} GFLOP an image", file=sys.stderr)
    speed = [operations * images_per_second for images_per_second in m["raw"]]

    precision = raw.fabric.strategy.precision.precision
    what, learned_what, full_what = (
        f"pretraining, {kind}"
        for kind in (f"raw views, {precision}", f"learned views, {precision}", "raw views, float32")
    )
    unit, rate_what = "images/s", f"arithmetic of pretraining, {precision}"
    simple = "DataLoader + torchvision, float32"
    return [
        Row(what, unit, m["raw"], "lightly SimCLR", m["lightly"], least=4),
        Row(learned_what, unit, m["learned"], "lightly SimCLR", m["lightly"], least=4),
        Row(what, unit, m["raw"], "lightly, crop and flip only", m["lightly, crop"]),
        Row(what, unit, m["raw"], simple, m["torchvision"]),
        Row(full_what, unit, m["full"], simple, m["torchvision"]),
        Row("time for data, raw views", "of 1", waiting["raw"][1:], most=0.05),
        Row("time for data, learned views", "of 1", waiting["learned"][1:], most=0.05),
        Row(rate_what, "GFLOP/s", speed, "float32 matmul", m["float32 matmul"], least=1),
        Row(rate_what, "GFLOP/s", speed, "bfloat16 matmul", m["bfloat16 matmul"]),
    ]


if __name__ == "__main__":
    main(measure)
