"""The start of a training: processes, the place of the images, and remarks on them."""

import sys
from typing import Any

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin.cli.main import say
from infomin.data import DataSet
from infomin.data.keep import place
from infomin.data.labels import label_warning
from infomin.data.value_span import describe_narrow_channels
from infomin.training.distributed import make_fabric
from infomin.training.processes import count_processes
from infomin.views import View


def launch(cfg: DictConfig, data: DataSet) -> tuple[Fabric, DataSet]:
    """Start the processes; return the images where `data.keep` puts them."""
    processes = count_processes(cfg.devices, cfg.nodes)
    if processes.total > 1:  # batches of samples with the same views have different sizes
        data.check_complete(f"a training in {processes.total} processes, unlike devices=1,")
    fabric = make_fabric(cfg.device, cfg.devices, cfg.precision, cfg.nodes, cfg.timeout)
    fabric.launch()
    if processes.starter:
        say(str(processes))
    data, line = place(data, fabric.device, processes.devices)
    if line:
        say(line)
    return fabric, data


def describe_images(data: DataSet, show: bool = True) -> None:
    """Say once that images were resized, and warn of values that encoders hardly see."""
    if not show:
        return
    if data.resized_from is not None:
        width, height = data.resized_from
        print(
            f"images of up to {width}x{height} pixels are resized to {data.size}x{data.size}; "
            "budget.size=N changes that"
        )
    train = data.train
    some = train.some(torch.arange(0, len(train), max(1, len(train) // 128)))
    narrow = describe_narrow_channels(some, data.value_range, data.channel_names)
    for advice in data.advice or filter(None, (narrow,)):
        print(f"warning: {advice}", file=sys.stderr)


def warn_of_labels(data: DataSet, show: bool = True) -> None:
    """Print a warning where labels look like none."""
    warning = label_warning(data)
    if warning and show:
        print(f"warning: {warning}", file=sys.stderr)


def seen_by(views: View, data: DataSet) -> tuple[DataSet, dict[str, Any]]:
    """Return data as views see them, and the numbers of missing views for the result."""
    seen = data.with_views(views.sources)
    seen.check_pairs()
    for name, counts in seen.missing_counts.items():
        each = ", ".join(f"v{i} {number}" for i, number in enumerate(counts["views"], 1))
        several = f"two or more {counts['several']}, all {counts['all']}"
        say(f"{counts['samples']} {name} samples, some lack views: {each}, {several}")
    return seen, {"present": seen.missing_counts} if seen.missing_counts else {}


def fitting(option: str, batch: int, images: int, fabric: Fabric) -> int:
    """Return the size of a batch, or all images where there are fewer; say so in one line."""
    largest = images // fabric.world_size * fabric.world_size
    if batch <= largest or largest < 2:
        return batch
    say(f"{option}: there are {images} images, so batches have {largest}, not {batch}")
    return largest
