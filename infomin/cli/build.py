"""Configuration becomes objects here, once, and is validated here, before any image is read.

A command plans first: `plan_pretraining` builds everything that needs no data, and tries the method
on the smallest encoders there are. Then it reads the data, and `build_pretraining` builds the rest.
"""

import inspect
from dataclasses import dataclass, replace
from typing import Any

from lightning_fabric import Fabric
from omegaconf import DictConfig

from infomin.augment import Augmentation, JigSaw
from infomin.cli.build_views import AugmentationPlan, build_augmentation, build_views
from infomin.cli.launch import describe_images, fitting, seen_by, warn_of_labels
from infomin.cli.main import instantiate, plain
from infomin.core.errors import InputError, option_errors
from infomin.data import Batches, DataSet, UniformBatches, ViewLoader
from infomin.data.missing_views import check_complete
from infomin.evaluation.monitoring import Monitor, MonitorSettings
from infomin.losses import view_pairs
from infomin.methods import METHODS, Context, Method
from infomin.methods.contrastive import ContrastiveMethod
from infomin.methods.pirl import PIRL, check_weight
from infomin.models import Encoders, build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.training.processes import count_processes
from infomin.training.trainer import MakeOptimizer, PretrainSettings, Trainer
from infomin.views import View, describe_view


@dataclass(frozen=True)
class Plan:
    """The objects of a pretraining that need no data.

    Attributes:
        settings: numbers of the training.
        augmentation: crops, changes of colour, RandAugment.
        jigsaw: cuts JigSaw pieces; None without the branch.
        monitor: numbers of the monitoring.
        optimizer: makes an optimiser from parameters.
    """

    settings: PretrainSettings
    augmentation: AugmentationPlan
    jigsaw: JigSaw | None
    monitor: MonitorSettings
    optimizer: MakeOptimizer


def plan_pretraining(cfg: DictConfig) -> Plan:
    """Build what needs no data, and try the method on encoders as small as they can be.

    Raises:
        InputError: for any option that is wrong whatever the data.
    """
    settings, jigsaw = instantiate(cfg.pretrain), None
    augmentation = build_augmentation(cfg)
    if "jigsaw" in cfg:
        options = plain(cfg.jigsaw)
        check_weight(options.pop("beta"))
        with option_errors("jigsaw"):
            jigsaw = JigSaw(cfg.encoder.size, **options)
    plan = Plan(
        settings, augmentation, jigsaw, instantiate(cfg.monitor), instantiate(cfg.optimizer)
    )
    negatives = cfg.memory.get("negatives")
    samples = settings.batch + 1 + (negatives if isinstance(negatives, int) else 0)
    shared = bool(cfg.encoder.get("shared", False))
    head = cfg.encoder.get("head", "linear")
    small = build_encoders(
        "fourconv", [1, 1], size=1, dim=1, head=head, shared=shared, widths=[1], pools=0
    )
    method = build_method(cfg, plan, small, samples, weighted=False)
    if count_processes(cfg.devices, cfg.nodes).total == 1:  # of several processes each has a share
        method.check(slice(0, settings.batch))
    return plan


def build_method(
    cfg: DictConfig,
    plan: Plan,
    encoders: Encoders,
    samples: int,
    steps: int = 0,
    batches: Batches | None = None,
    weighted: bool = True,
) -> Method:
    """Build the method that `cfg.method` names, from its own options or those of contrasts.

    Arguments:
        cfg: configuration; options are in the node of the method's name, or in `loss`, `memory`,
            `graph` and `pair_weights`.
        plan: see `plan_pretraining`.
        encoders: of the views.
        samples: number of training images.
        steps: of the training.
        batches: order of the images; where images lack views, it says which have them.
        weighted: whether `pair_weights` are known to fit the views.

    Raises:
        InputError: for an unknown method or option, or options of another method.
    """
    cls, settings = METHODS.find(cfg.method), plan.settings
    contrast = {
        "loss": plain(cfg.loss),
        "memory": plain(cfg.memory),
        "graph": cfg.graph,
        "pair_weights": plain(cfg.pair_weights) if weighted else None,
    }
    if "loss" in inspect.signature(cls).parameters:
        options = contrast
    else:
        options = plain(cfg.get(cfg.method, {}))
        usual = {"loss": {"name": "infonce"}, "memory": {"kind": "none"}, "graph": "full"}
        for name, value in usual.items():
            if contrast[name] != value:
                raise InputError(
                    f"{name}: method={cfg.method} has a loss of its own and takes no {name}, got "
                    f"{contrast[name]}; leave {name}= out, or choose another method"
                )
    context = Context(
        samples,
        settings.batch,
        settings.temperature,
        steps,
        settings.seed,
        settings.chunk,
        batches.rows if isinstance(batches, UniformBatches) else None,
    )
    with option_errors(f"method={cfg.method}"):
        method = cls(encoders, context, **options)
    if plan.jigsaw is None:
        return method
    if not isinstance(method, ContrastiveMethod):
        raise InputError(
            f"jigsaw: expected none with method={cfg.method}, since pieces are contrasted; set "
            "jigsaw=none, or loss=infonce"
        )
    if batches is None:  # the smallest encoders have no room for pieces
        return method
    channels = [encoder.in_channels for encoder in encoders.distinct]
    return PIRL(method, channels, plan.jigsaw.piece, cfg.jigsaw.beta)


@dataclass(frozen=True)
class Pretraining:
    """The objects of a pretraining.

    Attributes:
        data: as the views see it.
        encoder: views and encoders, to be trained.
        trainer: trains them.
        monitor: measures them on the way; None where it is not wanted, or in other processes.
        facts: entries of the result that are known before training: the upstream run of g, missing
            views.
    """

    data: DataSet
    encoder: PretrainedEncoder
    trainer: Trainer
    monitor: Monitor | None
    facts: dict[str, Any]


def build_pretraining(
    cfg: DictConfig, plan: Plan, data: DataSet, fabric: Fabric, views: View | None = None
) -> Pretraining:
    """Build encoders, method, trainer and monitor for a data set.

    Arguments:
        cfg, plan: configuration, and what it became before the data were read.
        data: all of it.
        fabric: device, precision, processes.
        views: given ones; None builds those of the configuration.

    Raises:
        InputError: for options that do not suit the data or one another.
    """
    augment = plan.augmentation.of_crops(data)
    upstream: dict[str, Any] = {}
    if views is None:
        views, upstream = build_views(cfg, data, plan.augmentation, fabric)
    describe_images(data, fabric.is_global_zero)
    seen, missing = seen_by(views, data)
    if seen.classes:
        seen.check_classes("evaluation")
        warn_of_labels(seen, fabric.is_global_zero)
    batch = fitting("pretrain.batch", plan.settings.batch, len(seen.train), fabric)
    plan = replace(plan, settings=replace(plan.settings, batch=batch))
    options = plain(cfg.encoder)
    encoders = build_encoders(view_channels=views.view_channels, seed=cfg.seed, **options)
    encoder = PretrainedEncoder(views, encoders, options)
    describe_view(views)  # what cannot be saved is refused now, an unknown layer too
    encoders.tap(cfg.probe.tap)
    trainer = build_trainer(cfg, plan, seen, views, encoders, augment, fabric)
    trainer.method.check_layer(cfg.probe.tap)
    monitor = None
    if plan.monitor.every and fabric.is_global_zero:
        monitor = Monitor(trainer, seen, plan.monitor, cfg.probe.tap)
    return Pretraining(seen, encoder, trainer, monitor, upstream | missing)


def build_trainer(
    cfg: DictConfig,
    plan: Plan,
    data: DataSet,
    views: View,
    encoders: Encoders,
    augment: Augmentation,
    fabric: Fabric,
) -> Trainer:
    """Build the order of the images, the method, the loader of views and the trainer."""
    settings, train = plan.settings, data.train
    numbers = (settings.batch, settings.seed, "pretrain", "pretrain.batch")
    if train.view_mask is None:
        batches = Batches(len(train), *numbers)
    else:
        batches = UniformBatches(train.view_mask, view_pairs(len(encoders), cfg.graph), *numbers)
    steps = settings.epochs * batches.per_epoch
    method = build_method(cfg, plan, encoders, len(train), steps, batches)
    if method.needs_same_pixels and not (views.same_pixels and views.crops == 1):
        raise InputError(
            f"views.crops: expected shared with method={cfg.method}, which predicts the pixels of "
            f"one view from those of another, got views={cfg.views.kind} with crops of their own; "
            "set views.crops=shared, or other views"
        )
    if method.needs_same_pixels:
        data.check_complete(f"method={cfg.method}")
    if plan.jigsaw is not None:
        check_complete(train.view_mask, "jigsaw", "a puzzle")
        if not views.pixelwise:
            raise InputError(
                f"jigsaw: expected views that are made pixel by pixel, got {views}; set "
                "views=whole, raw or learned, or jigsaw=none"
            )
    loader = ViewLoader(
        train.source,
        batches,
        augment,
        views,
        method.views,
        plan.jigsaw,
        method.jigsaw_views if isinstance(method, PIRL) else (),
        fabric.device,
    )
    return Trainer(method, loader, plan.optimizer, settings, fabric)
