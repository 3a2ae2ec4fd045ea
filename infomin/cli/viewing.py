"""Views, from their configuration: made by hand, or by a generator."""

from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin import load_generator
from infomin.cli.augmenting import make_changes
from infomin.cli.main import plain, taken
from infomin.core import artifact
from infomin.core.errors import InputError, one_of
from infomin.data import DataSet
from infomin.runs.folder import newest
from infomin.shipped import located
from infomin.views import (
    ChannelViews,
    CombinedViews,
    FrequencyViews,
    LearnedViews,
    ModalityViews,
    PatchViews,
    View,
    WholeViews,
)
from infomin.views.color_table import COLORS, ColorTable

KINDS = ("raw", "whole", "patches", "frequency", "modalities", "learned")


def make_views(cfg: DictConfig, data: DataSet, fabric: Fabric) -> tuple[View, dict[str, Any]]:
    """Make views, and return with them what a result tells of their generator, if they have one."""
    v = cfg.views
    one_of("views.kind", v.kind, KINDS)
    if v.kind != "learned":
        return _by_hand(v, data), {}
    folder = str(v.generator or newest(v.runs or cfg.out, "learn_views", "generator"))
    if v.at is not None:
        folder = _along(Path(folder).parent / "along", v.at)
    g = load_generator(folder)
    fabric.print(taken("generator", folder, data.name))
    data.suits(f"views.generator: {folder}", g.channels, g.value_range, g.channel_names)
    one_of("views.table", v.table, (True, False, "auto"))
    exact = g.channels == 3 and data.train.images.dtype == torch.uint8
    pixels = cfg.pretrain.epochs * len(data.train) * cfg.encoder.size**2
    looked_up = exact and pixels > COLORS if v.table == "auto" else v.table
    fabric.print(f"g is {'looked up in its table of 2^24 colours' if looked_up else 'computed'}")
    changes = make_changes(cfg, fabric)
    if v.combine.p == 1 and v.combine.views == "all" and changes == (None, None):
        views = LearnedViews(g, v.crops)
    else:
        views = CombinedViews(g, v.combine.p, plain(v.combine.views), *changes, v.crops)
    if looked_up:  # last: of a new g it takes longest
        views.table = ColorTable.cached(g)
    return views, _lineage(folder)


def _along(kept: Path, share: float) -> str:
    """Return the generator that was kept nearest to a share of its game."""
    steps = {int(path.name): path for path in kept.glob("*") if path.name.isdecimal()}
    if not steps or not 0 < share <= 1:
        raise InputError(
            f"views.at: expected a share of the game within (0, 1] and generators in {kept}, got "
            f"{share} and {len(steps)}; learn_views.py keep=8 keeps them"
        )
    return str(steps[min(steps, key=lambda step: abs(step - share * max(steps)))])


def _by_hand(v: DictConfig, data: DataSet) -> View:
    if v.kind == "raw":
        groups = plain(v.groups) or data.groups or None
        return ChannelViews(data.channels, v.color, groups, v.crops, data.value_range)
    if v.kind == "whole":
        return WholeViews(data.channels, v.color, v.number, v.crops, data.value_range)
    if v.kind == "patches":
        return PatchViews(data.channels, v.patch, v.distance, data.value_range)
    if v.kind == "modalities":
        return ModalityViews(plain(v.names), v.focal, v.smooth, v.crops, data.channels)
    return FrequencyViews(v.sigma, data.channels, v.crops, data.value_range)


def _lineage(folder: str) -> dict[str, Any]:
    """Return what tables need to tell the views of one game from those of another."""
    training = artifact.read_card(located(folder), "generator")["training"]
    told = {name: training.get(name) for name in ("data", "objective", "seed", "steps", "settings")}
    return {"generator": told}
