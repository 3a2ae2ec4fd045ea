"""Augmentation and views from their configuration."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin.augment import Augmentation, CropFlip, Pipeline, RandAugment, Whole
from infomin.augment.color_jitter import ColorJitter
from infomin.cli.main import instantiate, origin, plain, say
from infomin.cli.read_data import read_data
from infomin.core import artifact
from infomin.core.errors import InputError, InputWarning, one_of, option_errors
from infomin.core.value_range import UNIT
from infomin.data import DataSet
from infomin.generator import ViewGenerator, load_generator
from infomin.runs.lookup import newest
from infomin.runs.progress import show_work
from infomin.shipped import generator_folder
from infomin.views import VIEWS, CombinedViews, LearnedViews, View
from infomin.views.base import ImageInfo
from infomin.views.color_table import COLORS, ColorTable

ORDERS = ("after", "before")


@dataclass(frozen=True)
class AugmentationPlan:
    """The steps between images and views.

    Attributes:
        crop: cuts images.
        color_jitter, randaugment: change crops, or learned views where g comes first.
        after_g: whether g comes first.
    """

    crop: CropFlip | Whole
    color_jitter: ColorJitter
    randaugment: RandAugment | None
    after_g: bool

    def of_crops(self, data: DataSet) -> Augmentation:
        """Return the augmentation of crops of a data set.

        Raises:
            InputError: where crops or changes of colour do not suit the images.
        """
        self.crop.check_size(*data.train.source.shape[2:])
        if self.after_g or (self.randaugment is None and self.color_jitter.is_identity):
            return self.crop
        if data.value_range != UNIT:
            option = "photometric" if self.randaugment is None else "randaugment"
            raise InputError(
                f"{option}: changes images within [0, 1], data {data.name} has values within "
                f"{list(data.value_range)}; set {option}=none, or views.combine.order=before, "
                "which changes learned views instead"
            )
        self.color_jitter.check_channels(data.channels)
        if self.randaugment is not None:
            self.randaugment.check_channels(data.channels)
        return Pipeline(self.crop, self.color_jitter, self.randaugment)


def build_augmentation(cfg: DictConfig) -> AugmentationPlan:
    """Build crops, changes of colour and RandAugment."""
    randaugment = instantiate(cfg.randaugment) if "randaugment" in cfg else None
    after_g = False
    if "combine" in cfg.views:
        one_of("views.combine.order", cfg.views.combine.order, ORDERS)
        after_g = cfg.views.combine.order == "before"
    color_jitter = instantiate(cfg.photometric)
    return AugmentationPlan(instantiate(cfg.augment), color_jitter, randaugment, after_g)


def build_views(
    cfg: DictConfig, data: DataSet, augmentation: AugmentationPlan, fabric: Fabric
) -> tuple[View, dict[str, Any]]:
    """Build views; return with them the upstream run of their generator for the result."""
    options = plain(cfg.views)
    kind = options.pop("kind")
    if kind == "learned":
        return learned_views(cfg, data, augmentation, fabric)
    info = ImageInfo(data.channels, data.value_range, data.groups)
    with option_errors(f"views={kind}"):
        return VIEWS.find(kind).from_options(options, info), {}


def generator_of(cfg: DictConfig) -> str:
    """Return the folder or the name of the generator of learned views: the given or the newest."""
    v = cfg.views
    folder = str(v.generator or newest(v.runs or cfg.out, "learn_views", "generator"))
    return folder if v.at is None else _along(Path(folder).parent / "along", v.at)


def read_viewed_data(cfg: DictConfig) -> DataSet:
    """Read the data of a configuration with views; learned views know what they were trained on."""
    if cfg.views.kind != "learned":
        return read_data(cfg)
    folder = generator_of(cfg)
    return read_data(cfg, folder, load_generator(folder))


def learned_views(
    cfg: DictConfig, data: DataSet, augmentation: AugmentationPlan, fabric: Fabric
) -> tuple[View, dict[str, Any]]:
    """Build the views of a saved generator."""
    v, folder = cfg.views, generator_of(cfg)
    g = load_generator(folder)
    say(origin("generator", folder, data.name))
    data.check_images(f"views.generator: {folder}", g.channels, g.value_range, g.channel_names)
    one_of("views.table", v.table, (True, False, "auto"))
    exact = g.channels == 3 and data.train.source.dtype == torch.uint8
    pixels = cfg.pretrain.epochs * len(data.train) * cfg.encoder.size**2
    looked_up = exact and pixels > COLORS if v.table == "auto" else v.table
    say(f"g is {'looked up in its table of 2^24 colours' if looked_up else 'computed'}")
    views = combined_views(cfg, g, augmentation, fabric)
    if looked_up:  # last: the table of a new g takes longest
        with show_work("building the table of 2^24 colours", show=fabric.is_global_zero):
            views.table = table_of(g, cfg.data.get("cache"))
    training = artifact.read_card(generator_folder(folder), "generator")["training"]
    names = ("data", "objective", "seed", "steps", "settings")
    return views, {"generator": {name: training.get(name) for name in names}}


def table_of(g: ViewGenerator, cache: str | None) -> ColorTable:
    """Return the table of g, from a cache folder where there can be one."""
    try:
        return ColorTable.cached(g, cache)
    except InputError as error:
        if cache:
            raise
        warnings.warn(f"the table is not cached ({error})", InputWarning, stacklevel=2)
        return ColorTable(g)


def combined_views(
    cfg: DictConfig, g: ViewGenerator, augmentation: AugmentationPlan, fabric: Fabric
) -> LearnedViews:
    """Build the views of g, alone or together with raw channels and changes after g."""
    color_jitter, randaugment = None, None
    if augmentation.after_g:
        color_jitter, randaugment = augmentation.color_jitter, augmentation.randaugment
        skipped = color_jitter.color_operations + (
            randaugment.pixel_operations if randaugment else []
        )
        if skipped:
            say(
                f"views.combine.order=before leaves out {', '.join(skipped)}: they are not "
                "defined for learned views"
            )
    p, chosen, crops = cfg.views.combine.p, plain(cfg.views.combine.views), cfg.views.crops
    if p == 1 and chosen == "all" and color_jitter is None and randaugment is None:
        return LearnedViews(g, crops)
    return CombinedViews(g, p, chosen, color_jitter, randaugment, crops)


def _along(kept: Path, share: float) -> str:
    """Return the generator that was kept nearest to a share of its game."""
    steps = {int(path.name): path for path in kept.glob("*") if path.name.isdecimal()}
    if not steps or not 0 < share <= 1:
        raise InputError(
            f"views.at: expected a share of the game within (0, 1] and generators in {kept}, got "
            f"{share} and {len(steps)}; learn_views.py keep=8 keeps them"
        )
    return str(steps[min(steps, key=lambda step: abs(step - share * max(steps)))])
