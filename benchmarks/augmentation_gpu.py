"""Augmentation on a GPU: its time beside that of a step of ResNet-18, batch 512 at 96 pixels.

    python benchmarks/augmentation_gpu.py

Not among those of `run.py`, which are of the CPU. Two views of resident images, by SimCLR's recipe
without blur and by InfoMin's whole one with RandAugment and puzzles; and one step of training on
two such views: one ResNet-18 for both, with its stem for small images or torchvision's own,
InfoNCE, the way back, AdamW, in the precision that `auto` chooses.

Target: augmentation takes at most a quarter of the step.
"""

import sys
from collections.abc import Callable

import torch
from recipes import infomin, ours, simclr
from rows import Row, main
from timing import Measure, interleaved, rate
from torch import Tensor

from infomin.augment import JigSaw
from infomin.encoders import build_towers
from infomin.losses import infonce, pair_scores
from infomin.parallel import make_fabric


def milliseconds(work: Callable[[], object], device: torch.device, least: float) -> Measure:
    """Make a contender of work on a device, which is waited for."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None

    def waited() -> None:
        work()
        wait()

    per_second = rate(waited, least=least)
    return lambda: 1000 / per_second()


def step(batch: int, size: int, stem: str, device: torch.device) -> Callable[[], object]:
    """Return one step of training on views that are there already."""
    fabric = make_fabric(device.type)
    towers = build_towers("resnet", (3, 3), size, shared=True, depth=18, stem=stem).to(device)
    optimizer = torch.optim.AdamW(towers.parameters())
    views = tuple(torch.rand(batch, 3, size, size, device=device) for _ in range(2))

    def advance() -> Tensor:
        with fabric.autocast():
            z = towers(views)
        loss = infonce(pair_scores(z, 0.1)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return advance


def measure(quick: bool) -> list[Row]:
    """Measure augmentation and steps in turn."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not quick:
        sys.exit("augmentation_gpu: expected a GPU, found none; --quick tries it on the CPU")
    batch, size = (8, 32) if quick else (512, 96)
    images = torch.randint(0, 256, (4 * batch, 3, size, size), dtype=torch.uint8, device=device)
    work = {
        "SimCLR": ours(images, simclr(size), batch),
        "InfoMin": ours(images, infomin(size), batch, JigSaw(size)),
        "small": step(batch, size, "small", device),
        "imagenet": step(batch, size, "imagenet", device),
    }
    least, rounds = (0.1, 1) if quick else (2.0, 5)
    m = interleaved(
        {name: milliseconds(each, device, least) for name, each in work.items()}, rounds
    )
    where = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    return [
        Row(
            f"two views, {recipe}, {size} px, batch {batch}, {where}",
            "ms",
            m[recipe],
            f"a step of ResNet-18, {stem} stem",
            m[stem],
            most=0.25,
        )
        for recipe in ("SimCLR", "InfoMin")
        for stem in ("small", "imagenet")
    ]


if __name__ == "__main__":
    main(measure)
