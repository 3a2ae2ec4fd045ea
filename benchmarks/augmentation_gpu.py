"""Augmentation on a GPU against a training step of ResNet-18, batch 512 at 96 pixels.

    python benchmarks/run.py augmentation_gpu

Augmentation makes two views of resident images: SimCLR's recipe without blur, or InfoMin's recipe
with RandAugment and JigSaw. A step trains one ResNet-18 on two such views: InfoNCE, backward pass,
AdamW, in the precision that `auto` chooses. Its stem is the one for small images
(encoder=resnet18) or torchvision's. The last rows measure both together, as in training: the CPU
queues the views of the next step while the GPU computes this one.

Target: augmentation alone takes at most a quarter of the step.
"""

import sys
from collections.abc import Callable

import torch
from recipes import infomin, ours, simclr
from rows import Row, main
from timing import Measure, interleaved, rate
from torch import Tensor

from infomin.augment import JigSaw
from infomin.losses import infonce, pair_scores
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric

IN_A_ROW = 8
"""Calls between two synchronisations: training does not wait for each step."""


def milliseconds(work: Callable[[], object], device: torch.device, least: float) -> Measure:
    """Return a contender: milliseconds of a call on a device."""

    def several() -> None:
        for _ in range(IN_A_ROW):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize()

    per_second = rate(several, units=IN_A_ROW, least=least)
    return lambda: 1000 / per_second()


def step(batch: int, size: int, stem: str, device: torch.device) -> Callable[[], object]:
    """Return a training step on views that exist already."""
    fabric = make_fabric(device.type)
    encoders = build_encoders("resnet", (3, 3), size, shared=True, depth=18, stem=stem).to(device)
    optimizer = torch.optim.AdamW(encoders.parameters())
    views = tuple(torch.rand(batch, 3, size, size, device=device) for _ in range(2))

    def advance() -> Tensor:
        with fabric.autocast():
            z = encoders(views)
        loss = infonce(pair_scores(z, 0.1)[0])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return advance


def after(first: Callable[[], object], second: Callable[[], object]) -> Callable[[], object]:
    """Return both calls, one after the other; a GPU overlaps the first with the second."""

    def both() -> None:
        first()
        second()

    return both


def measure(quick: bool) -> list[Row]:
    """Measure augmentation, steps, and both together."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not quick:
        sys.exit("augmentation_gpu: expected a GPU, found none; --quick tries it on the CPU")
    batch, size = (8, 32) if quick else (512, 96)
    images = torch.randint(0, 256, (4 * batch, 3, size, size), dtype=torch.uint8, device=device)
    augment = {
        "SimCLR": ours(images, simclr(size), batch),
        "InfoMin": ours(images, infomin(size), batch, JigSaw(size)),
    }
    steps = {stem: step(batch, size, stem, device) for stem in ("small", "imagenet")}
    pairs = [(recipe, stem) for stem in steps for recipe in augment]
    both = {pair: after(augment[pair[0]], steps[pair[1]]) for pair in pairs}
    least, rounds = (0.1, 1) if quick else (1.0, 5)
    m = interleaved(
        {
            str(name): milliseconds(work, device, least)
            for name, work in (augment | steps | both).items()
        },
        rounds,
    )
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    setting = f"{size} px, batch {batch}, {name}"
    rows = []
    for recipe, stem in pairs:
        rival, theirs = f"a step of ResNet-18, {stem} stem", m[stem]
        views, together = m[recipe], m[str((recipe, stem))]
        rows += [
            Row(f"two views, {recipe}, {setting}", "ms", views, rival, theirs, most=0.25),
            Row(f"two views, {recipe}, and a step, {setting}", "ms", together, rival, theirs),
        ]
    return rows


if __name__ == "__main__":
    main(measure)
