"""Estimate how many nats two views share, on held-out images.

    infomin estimate-information views=raw views.color=ydbdr
    infomin estimate-information views=learned data=image_folder data.root=PATH k=1024
    infomin estimate-information pretrained=runs/pretrain/RUN/encoder unit=bits
    infomin estimate-information views=raw inputs=rank data=arrays data.root=PATH
    infomin estimate-information self_test=true

Two minutes on two cores with budget=small, as long as a pretraining; the self-test too.
"""

import math
import sys
from itertools import combinations
from typing import Any

import torch
from omegaconf import DictConfig

from infomin import evaluation
from infomin.augment import Augmentation
from infomin.cli.build import build_trainer, plan_pretraining
from infomin.cli.build_views import build_views, read_viewed_data
from infomin.cli.launch import seen_by
from infomin.cli.main import command, open_run, plain, report_command, show
from infomin.cli.read_data import read_data
from infomin.cli.self_test import self_test
from infomin.core import artifact, rng
from infomin.core.errors import InputError, one_of
from infomin.data import DataSet, ImageSet
from infomin.data.missing_views import having
from infomin.information import RankedNorm
from infomin.information.flags import MEANING
from infomin.methods.predictive import PREDICTIVE
from infomin.models import Encoders, build_encoders
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.folder import PROVENANCE, Run
from infomin.runs.progress import show_work
from infomin.runs.provenance import record_hardware
from infomin.shipped import generator_folder
from infomin.training.distributed import make_fabric
from infomin.training.processes import count_processes
from infomin.training.trainer import Trainer
from infomin.views import View

HELD_OUT = "held_out/loss"
"""Name of the logged loss of held-out images, of every tenth of a training."""
REMEDY = {
    "saturated": "raise k, or measure more held-out images",
    "below 0": "raise epochs, or set inputs=rank",
    "few pairs dominate": "set inputs=rank",
    "large scores": "set inputs=rank",
    "still learning": "raise epochs, or choose a larger encoder",
}
"""Remedies by the flag of an estimate."""
_IMAGES = 1024  # of which held-out losses, and transforms of inputs, are made


@command("estimate_information")
def estimate_information(cfg: DictConfig) -> None:
    """Train encoders to find what views share, and measure it on held-out images."""
    one_of("unit", cfg.unit, ("nats", "bits"))
    if cfg.self_test:
        check_devices(cfg)
        self_test(cfg)
    else:
        run_estimate(cfg)


def run_estimate(
    cfg: DictConfig, data: DataSet | None = None, views: View | None = None
) -> list[dict[str, Any]]:
    """Estimate I_NCE of every pair of views; return `views`, `k` and the estimate of each.

    Arguments:
        cfg: configuration.
        data, views: given ones; None builds those of the configuration.
    """
    check_devices(cfg)
    one_of("method", cfg.method, ("cmc",))  # in-batch InfoNCE is the loss that is the bound
    one_of("loss", cfg.loss.name, ("infonce",))
    one_of("memory", cfg.memory.kind, ("none",))
    if cfg.pretrained:  # measures, and trains nothing
        one_of("precision", cfg.precision, ("auto", "32-true"))
    one_of("inputs", cfg.inputs, ("standard", "rank"))
    if cfg.pretrained and cfg.inputs != "standard":
        raise InputError(
            f"inputs: expected standard with pretrained=, whose encoders have learned from their "
            f"inputs as they are, got {cfg.inputs}; leave one of them out"
        )
    encoder = load_encoder(cfg.pretrained) if cfg.pretrained else None
    if encoder is not None:
        temperature = trained_temperature(cfg.pretrained) or cfg.pretrain.temperature
        cfg.encoder.size, views = encoder.size, encoder.views
    plan = plan_pretraining(cfg)
    if data is None and encoder is not None:
        data = read_data(cfg, cfg.pretrained, encoder)
    elif data is None:
        data = read_viewed_data(cfg)
    fabric = make_fabric(cfg.device, 1, "32-true" if cfg.pretrained else cfg.precision)
    augment = plan.augmentation.of_crops(data)
    if encoder is not None:
        encoders = encoder.encoders
    else:
        temperature = plan.settings.temperature
        if views is None:
            views, _ = build_views(cfg, data, plan.augmentation, fabric)
        encoders = build_encoders(
            view_channels=views.view_channels, seed=cfg.seed, **plain(cfg.encoder)
        )
    assert views is not None
    data, missing = seen_by(views, data)
    test, n = data.test, len(data.test)
    pairs = list(combinations(range(len(encoders)), 2))
    smallest = min(int(having(test.view_mask, n, i, j).sum()) for i, j in pairs)
    k = evaluation.sizes(plain(cfg.k), smallest)

    if cfg.inputs == "rank":
        rank_inputs(encoders, views, data.train, augment)
    run, losses = open_run(cfg, "estimate_information", f"{views}-s{cfg.seed}"), []
    record_hardware(run.folder / PROVENANCE, fabric)
    if not cfg.pretrained:
        trainer = build_trainer(cfg, plan, data, views, encoders, augment, fabric)
        losses = train(run, trainer, test, f"estimate {views}", cfg.save_every)

    with show_work("measuring on held-out images"):
        z = evaluation.held_out_embeddings(
            views.to(fabric.device), encoders.to(fabric.device), test.source, augment
        )
    estimates, flags = [], dict[str, None]()
    for i, j in pairs:
        both = having(test.view_mask, n, i, j)
        for size in k:
            i_nce = evaluation.i_nce_between(
                z[i][both], z[j][both], temperature, size, losses=losses
            )
            name = f"I_NCE(v{i + 1}; v{j + 1}), K = {size}"
            print(f"{name}: {i_nce.format(bits=cfg.unit == 'bits')}")
            flags.update(dict.fromkeys(i_nce.flags))
            estimates.append({"views": [i + 1, j + 1], "k": size, **i_nce.record()})
    for flag in flags:
        known = cfg.pretrained and flag != "saturated"
        remedy = "leave out pretrained=, to train encoders for this" if known else REMEDY[flag]
        print(f"warning: {flag}: {MEANING[flag]}; {remedy}", file=sys.stderr)
    result = {"data": data.name, "views": str(views), "seed": cfg.seed, "i_nce": estimates}
    show("result", run.finish(result | {"temperature": temperature} | missing))
    print(f"next: {report_command(cfg)}")
    return estimates


def check_devices(cfg: DictConfig) -> None:
    """Raise an InputError unless one process is asked for."""
    total = count_processes(cfg.devices, cfg.nodes).total
    if total > 1:
        raise InputError(
            f"devices: infomin estimate-information runs in 1 process, got {total}; leave devices "
            "and torchrun or srun out"
        )


def train(run: Run, trainer: Trainer, test: ImageSet, label: str, save_every: float) -> list[float]:
    """Run the trainer to its end; return the held-out losses after every tenth of it.

    Earlier losses are read from the log, so that a resumed run has them too.
    """
    tenths = {max(1, round(trainer.steps * i / 10)) for i in range(1, 11)}
    some = having(test.view_mask, len(test), 0, 1).nonzero().flatten()[:_IMAGES]
    images = test.some(some).to(trainer.fabric.device)
    loader, settings = trainer.loader, trainer.settings
    k = min(settings.batch, len(images))
    for _ in run.follow(trainer, label, save_every):
        if trainer.step in tenths:
            z1, z2, *_ = evaluation.held_out_embeddings(
                loader.views, trainer.method.encoders, images, loader.augment
            )
            i_nce = evaluation.i_nce_between(z1, z2, settings.temperature, k)
            run.log(trainer.step, {HELD_OUT: math.log(k) - i_nce.value})
    return [row[HELD_OUT] for row in run.logged(HELD_OUT)]


@torch.no_grad()
def rank_inputs(encoders: Encoders, views: View, train: ImageSet, augment: Augmentation) -> None:
    """Put a rank transform of each channel before every encoder, made of training images."""
    for i, encoder in enumerate(encoders.distinct):
        has_view = having(train.view_mask, len(train), i).nonzero().flatten()[:_IMAGES]
        images = train.some(has_view)
        crops = [augment(images, rng.generator(0, "inputs", view)) for view in range(views.crops)]
        params = views.sample(len(images), rng.generator(0, "inputs", "combine"))
        encoder.backbone.standardize = RankedNorm(views(*crops, params=params)[i])


def trained_temperature(folder: str) -> float | None:
    """Return the temperature that the embeddings of an encoder were trained with, if it is known.

    Raises:
        InputError: when its embeddings were not trained.
    """
    training = artifact.read_card(generator_folder(folder), "encoder")["training"]
    name, temperature = training.get("trained_by"), training.get("temperature")
    if isinstance(name, str) and name in PREDICTIVE:
        raise InputError(
            f"pretrained: expected an encoder trained by contrast, {folder} was by loss={name}, "
            "which does not train embeddings; evaluate it with infomin evaluate"
        )
    return temperature if isinstance(temperature, float) and temperature > 0 else None
