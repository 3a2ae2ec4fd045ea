"""What pretraining is made of, from its configuration: crops, changes of colour, and views."""

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
from infomin.views import ChannelViews, CombinedViews, LearnedViews, View, WholeViews

ORDERS = ("after", "before")


def make_augment(cfg: DictConfig, data: DataSet) -> Augment:
    """Make the crop, and the change of colours that follows it, unless it follows g."""
    crop, photometric = build(cfg.augment), make_photometric(cfg)
    if photometric.idle or _after_g(cfg):
        return crop
    photometric.fits(data.channels)
    return Pipeline(crop, photometric)


def make_views(cfg: DictConfig, data: DataSet, fabric: Fabric) -> View:
    """Make raw views, whole ones, or learned ones of the generator named, or of the newest."""
    v = cfg.views
    if v.kind == "raw":
        return ChannelViews(data.channels, v.color, plain(v.groups), v.crops)
    if v.kind == "whole":
        return WholeViews(data.channels, v.color, v.number, v.crops)
    folder = v.generator or newest(v.runs or cfg.out, "learn_views", "generator")
    g = load_generator(folder)
    fabric.print(taken("generator", folder, data.name))
    if (g.channels, g.value_range) != (data.channels, (0, 1)):
        raise InputError(
            f"views.generator: {folder} takes {g.channels} channels within {list(g.value_range)} "
            f"({', '.join(g.channel_names)}), data {data.name} has {data.channels} within [0, 1]"
        )
    looked_up = g.channels == 3 if v.table == "auto" else v.table
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
