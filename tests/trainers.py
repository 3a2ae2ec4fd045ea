"""Small trainers, built from the parts that commands build them of."""

import torch

from infomin.augment import CropFlip
from infomin.data import Batches, UniformBatches, ViewLoader
from infomin.losses import view_pairs
from infomin.methods import METHODS, Context
from infomin.methods.pirl import PIRL
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.training.trainer import PretrainSettings, Trainer

NET = {"name": "fourconv", "size": 8, "dim": 16, "widths": [6, 8], "pools": 1}


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3)


def make_trainer(
    views,
    images,
    method="cmc",
    *,
    settings=None,
    augment=None,
    view_mask=None,
    fabric=None,
    optimizer=adam,
    net=NET,
    jigsaw=None,
    beta=0.5,
    **options,
):
    """Build a trainer.

    Arguments:
        views, images: of the training.
        method: its name.
        settings: numbers of the training.
        augment: of the images; None is crops.
        view_mask: mask of the views that each image has.
        fabric, optimizer: see `Trainer`.
        net: options of the encoders.
        jigsaw, beta: of a JigSaw branch; None is without.
        options: of the method.
    """
    settings = PretrainSettings(**{"epochs": 2, "batch": 12} | (settings or {}))
    encoders = build_encoders(view_channels=views.view_channels, **net)
    numbers = (settings.batch, settings.seed, "pretrain", "pretrain.batch")
    if view_mask is None:
        batches = Batches(len(images), *numbers)
    else:
        pairs = view_pairs(len(encoders), options.get("graph", "full"))
        batches = UniformBatches(view_mask, pairs, *numbers)
    context = Context(
        len(images),
        settings.batch,
        settings.temperature,
        settings.epochs * batches.per_epoch,
        settings.seed,
        settings.chunk,
        None if view_mask is None else batches.rows,
    )
    learner, pieces = METHODS.find(method)(encoders, context, **options), ()
    if jigsaw is not None:
        channels = [encoder.in_channels for encoder in encoders.distinct]
        learner = PIRL(learner, channels, jigsaw.piece, beta)
        pieces = learner.jigsaw_views
    crop = augment or CropFlip(net["size"])
    loader = ViewLoader(images, batches, crop, views, learner.views, jigsaw, pieces)
    return Trainer(learner, loader, optimizer, settings, fabric or make_fabric("cpu", 1, "32-true"))
