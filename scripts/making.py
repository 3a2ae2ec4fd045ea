"""What pretraining is made of, from its configuration: crops, changes of colour, and views."""

import torch
from cli import build, plain, taken
from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin import load_generator
from infomin.augment import Augment, Pipeline
from infomin.data import DataSet
from infomin.errors import InputError, one_of
from infomin.photometric import Photometric
from infomin.run import newest
from infomin.table import ColorTable
from infomin.units import UNIT
from infomin.views import (
    ChannelViews,
    CombinedViews,
    FrequencyViews,
    LearnedViews,
    PatchViews,
    View,
    WholeViews,
)

ORDERS = ("after", "before")


def make_augment(cfg: DictConfig, data: DataSet) -> Augment:
    """Make the crop, and the change of colours that follows it, unless it follows g."""
    crop, photometric = build(cfg.augment), make_photometric(cfg)
    if photometric.idle or _after_g(cfg):
        return crop
    if data.value_range != UNIT:
        raise InputError(
            f"photometric: changes images within [0, 1], data {data.name} has values within "
            f"{list(data.value_range)}; set photometric=none, or views.combine.order=before, which "
            "changes learned views instead"
        )
    photometric.fits(data.channels)
    return Pipeline(crop, photometric)


def make_views(cfg: DictConfig, data: DataSet, fabric: Fabric) -> View:
    """Make views by hand, or learned ones of the generator named, or of the newest."""
    v = cfg.views
    one_of("views.kind", v.kind, ("raw", "whole", "patches", "frequency", "learned"))
    if v.kind == "raw":
        return ChannelViews(data.channels, v.color, plain(v.groups), v.crops, data.value_range)
    if v.kind == "whole":
        return WholeViews(data.channels, v.color, v.number, v.crops, data.value_range)
    if v.kind == "patches":
        return PatchViews(data.channels, v.patch, v.distance, data.value_range)
    if v.kind == "frequency":
        return FrequencyViews(v.sigma, data.channels, v.crops, data.value_range)
    folder = v.generator or newest(v.runs or cfg.out, "learn_views", "generator")
    g = load_generator(folder)
    fabric.print(taken("generator", folder, data.name))
    data.suits(f"views.generator: {folder}", g.channels, g.value_range, g.channel_names)
    one_of("views.table", v.table, (True, False, "auto"))
    exact = g.channels == 3 and data.train.images.dtype == torch.uint8
    looked_up = exact if v.table == "auto" else v.table
    fabric.print(f"g is {'looked up in its table of 2^24 colours' if looked_up else 'computed'}")
    table = ColorTable.cached(g) if looked_up else None
    photometric = make_photometric(cfg) if _after_g(cfg) else None
    if v.combine.p == 1 and v.combine.views == "all" and photometric is None:
        return LearnedViews(g, v.crops, table)
    chosen = plain(v.combine.views)
    return CombinedViews(g, v.combine.p, chosen, photometric, v.crops, table)


def make_photometric(cfg: DictConfig) -> Photometric:
    """Make the change of colours."""
    return build(cfg.photometric)


def _after_g(cfg: DictConfig) -> bool:
    """Whether colours are changed after g: g comes before."""
    if "combine" not in cfg.views:
        return False
    one_of("views.combine.order", cfg.views.combine.order, ORDERS)
    return cfg.views.combine.order == "before"
