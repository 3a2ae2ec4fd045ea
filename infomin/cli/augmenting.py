"""Crops, changes of colour and RandAugment, from their configuration."""

from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin.augment import Augment, CropFlip, Pipeline, RandAugment, Whole
from infomin.augment.color_jitter import ColorJitter
from infomin.cli.main import build
from infomin.core.errors import InputError, one_of
from infomin.core.value_range import UNIT
from infomin.data import DataSet

ORDERS = ("after", "before")


def make_augment(cfg: DictConfig, data: DataSet) -> Augment:
    """Make the crop, and the changes that follow it, unless they follow g."""
    crop, photometric, randaugment = make_crops(cfg)
    crop.fits(*data.train.images.shape[2:])
    if after_g(cfg) or (randaugment is None and photometric.idle):
        return crop
    if data.value_range != UNIT:
        whose = "photometric" if randaugment is None else "randaugment"
        raise InputError(
            f"{whose}: changes images within [0, 1], data {data.name} has values within "
            f"{list(data.value_range)}; set {whose}=none, or views.combine.order=before, which "
            "changes learned views instead"
        )
    photometric.fits(data.channels)
    if randaugment is not None:
        randaugment.fits(data.channels)
    return Pipeline(crop, photometric, randaugment)


def make_crops(cfg: DictConfig) -> tuple[CropFlip | Whole, ColorJitter, RandAugment | None]:
    """Make the crop, the change of colours, and RandAugment where it is asked for."""
    randaugment = build(cfg.randaugment) if "randaugment" in cfg else None
    return build(cfg.augment), build(cfg.photometric), randaugment


def make_changes(cfg: DictConfig, fabric: Fabric) -> tuple[ColorJitter | None, RandAugment | None]:
    """Make what changes learned views, after g, and say what is left out of it."""
    if not after_g(cfg):
        return None, None
    _, photometric, randaugment = make_crops(cfg)
    left_out = photometric.of_color + (randaugment.of_pixels if randaugment else [])
    if left_out:
        told = "what they would be in learned views nobody knows"
        fabric.print(f"views.combine.order=before leaves out {', '.join(left_out)}: {told}")
    return photometric, randaugment


def after_g(cfg: DictConfig) -> bool:
    """Whether changes follow g: g comes before."""
    if "combine" not in cfg.views:
        return False
    one_of("views.combine.order", cfg.views.combine.order, ORDERS)
    return cfg.views.combine.order == "before"
