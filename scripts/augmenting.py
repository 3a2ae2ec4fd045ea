"""Crops and changes of colour, from their configuration."""

from cli import build
from omegaconf import DictConfig

from infomin.augment import Augment, Pipeline
from infomin.data import DataSet
from infomin.errors import InputError, one_of
from infomin.photometric import Photometric
from infomin.units import UNIT

ORDERS = ("after", "before")


def make_augment(cfg: DictConfig, data: DataSet) -> Augment:
    """Make the crop, and the change of colours that follows it, unless it follows g."""
    crop, photometric = build(cfg.augment), make_photometric(cfg)
    if photometric.idle or after_g(cfg):
        return crop
    if data.value_range != UNIT:
        raise InputError(
            f"photometric: changes images within [0, 1], data {data.name} has values within "
            f"{list(data.value_range)}; set photometric=none, or views.combine.order=before, which "
            "changes learned views instead"
        )
    photometric.fits(data.channels)
    return Pipeline(crop, photometric)


def make_photometric(cfg: DictConfig) -> Photometric:
    """Make the change of colours."""
    return build(cfg.photometric)


def after_g(cfg: DictConfig) -> bool:
    """Whether colours are changed after g: g comes before."""
    if "combine" not in cfg.views:
        return False
    one_of("views.combine.order", cfg.views.combine.order, ORDERS)
    return cfg.views.combine.order == "before"
