"""Crops, changes of colour and RandAugment, from their configuration."""

from cli import build
from omegaconf import DictConfig

from infomin.augment import Augment, CropFlip, Pipeline, RandAugment, Whole
from infomin.data import DataSet
from infomin.errors import InputError, one_of
from infomin.photometric import Photometric
from infomin.units import UNIT

ORDERS = ("after", "before")


def make_augment(cfg: DictConfig, data: DataSet) -> Augment:
    """Make the crop, and the changes that follow it, unless they follow g."""
    crop, photometric, randaugment = make_crops(cfg)
    crop.fits(*data.train.images.shape[2:])
    if randaugment is None and (photometric.idle or after_g(cfg)):
        return crop
    if randaugment is not None and after_g(cfg):
        raise InputError(
            "randaugment: changes images, views.combine.order=before changes what g made of them; "
            "set randaugment=none, or views.combine.order=after"
        )
    if data.value_range != UNIT:
        whose = "photometric" if randaugment is None else "randaugment"
        mend = (
            "photometric=none, or views.combine.order=before, which changes learned views instead"
        )
        raise InputError(
            f"{whose}: changes images within [0, 1], data {data.name} has values within "
            f"{list(data.value_range)}; set {mend if randaugment is None else 'randaugment=none'}"
        )
    photometric.fits(data.channels)
    if randaugment is not None:
        randaugment.fits(data.channels)
    return Pipeline(crop, photometric, randaugment)


def make_crops(cfg: DictConfig) -> tuple[CropFlip | Whole, Photometric, RandAugment | None]:
    """Make the crop, the change of colours, and RandAugment where it is asked for."""
    randaugment = build(cfg.randaugment) if "randaugment" in cfg else None
    return build(cfg.augment), make_photometric(cfg), randaugment


def make_photometric(cfg: DictConfig) -> Photometric:
    """Make the change of colours."""
    return build(cfg.photometric)


def after_g(cfg: DictConfig) -> bool:
    """Whether colours are changed after g: g comes before."""
    if "combine" not in cfg.views:
        return False
    one_of("views.combine.order", cfg.views.combine.order, ORDERS)
    return cfg.views.combine.order == "before"
