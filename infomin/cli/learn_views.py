"""Learn a view generator g by the game between g and f1, f2 (InfoMin, section 4.2).

    infomin learn-views mode=semi
    infomin learn-views mode=unsup color=ydbdr data=image_folder data.root=PATH
    infomin learn-views mode=semi select=sweet_spot
    infomin learn-views -m seed=0,1,2

Three minutes on two cores, budget=small. The generator is in runs/learn_views/RUN/generator.
"""

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from infomin import evaluation
from infomin.augment import CropFlip, resize
from infomin.cli.launch import describe_images, fitting, launch, warn_of_labels
from infomin.cli.main import command, instantiate, next_command, open_run, plain, show
from infomin.cli.read_data import read_data
from infomin.core.errors import InputError, one_of
from infomin.core.rng import seeded
from infomin.core.value_range import color_name
from infomin.data import DataSet, labelled_subset
from infomin.evaluation import selection
from infomin.generator import ViewGenerator, load_generator
from infomin.models import Encoders, build_encoders
from infomin.runs.folder import Run
from infomin.runs.pictures import color_picture, parse_false_color, views_picture
from infomin.runs.progress import show_work
from infomin.training.diagnosis import diagnose
from infomin.training.game_settings import GameSettings
from infomin.training.processes import count_processes
from infomin.training.schedule import steps_to_keep
from infomin.training.trainer import Metrics, PretrainSettings
from infomin.training.view_game import Game
from infomin.views import LearnedViews
from infomin.views.color_table import ColorTable

KEPT = 8
"""Generators kept along the game for `select=sweet_spot`, where `keep` says nothing."""


@command("learn_views")
def learn_views(cfg: DictConfig) -> None:
    """Learn, check and save a generator."""
    run_game(cfg)


def run_game(cfg: DictConfig, data: DataSet | None = None) -> ViewGenerator:
    """Learn, check and save a generator; return it, frozen.

    Arguments:
        cfg: configuration.
        data: given images; None reads those of the configuration.
    """
    settings, augment, kept = plan_game(cfg)
    data = read_data(cfg) if data is None else data
    false_color = parse_false_color(cfg.false_color, data.channel_names)
    game, labelled, data = build_game(cfg, settings, augment, data)
    fabric, settings = game.fabric, game.settings

    color = color_name(cfg.color, data.channel_names)
    name = f"{settings.mode}-{color}-s{cfg.seed}"
    run = open_run(cfg, "learn_views", name, fabric.is_global_zero)
    keep(run.follow(game, f"learn_views {settings.mode}", cfg.save_every), game, run, kept)
    if not fabric.is_global_zero:
        return game.result

    # Measured on held-out images
    g, f = game.result.eval(), game.f
    chosen: dict[str, Any] = {}
    test = data.test
    if cfg.select == "sweet_spot":
        g, f, chosen = select(cfg, run, game, labelled)
    views, i_nce, class_accuracy = LearnedViews(g, cfg.crops), None, []
    if settings.informed or chosen:
        with show_work("measuring I_NCE on held-out images"):
            i_nce = evaluation.held_out_i_nce(
                views, f, test.source, augment, settings.temperature, settings.batch
            )
    if settings.classified and not chosen:  # c are those of the last g
        class_accuracy = evaluation.classifier_accuracy(views, game.c, test, augment.size)
    sample = resize(test.spread(256).to(fabric.device), data.size)
    warnings = diagnose(g, sample, i_nce, class_accuracy, len(data.classes))
    check = g.check(sample)

    # The generator, its card and its pictures
    result = {"data": data.name, "objective": settings.mode, "color": color, "seed": cfg.seed}
    result |= {"steps": settings.steps, "labels": len(labelled)}
    result |= {"i_nce": i_nce.record() if i_nce else None, "class_accuracy": class_accuracy}
    result |= {"collapsed": warnings, "check": asdict(check), "settings": asdict(settings)}
    result |= {"curve": run.curve("i_nce"), **chosen, **run.speed}
    folder = g.cpu().save(run.product_folder("generator"), result)
    shown = sample[:: max(1, len(sample) // 10)][:10].cpu()
    title = f"views learned from {color}, mode={settings.mode}, seed {cfg.seed}, {data.name}"
    figure = views_picture(views.cpu(), shown, title, g.channel_names, false_color=false_color)
    picture = run.save_picture("views", figure)
    run.save_picture("color", color_picture(g, sample.cpu()))
    run.finish(result)
    print(*(f"warning: {warning}\n" for warning in warnings), sep="", end="", file=sys.stderr)
    print(f"I_NCE held out: {i_nce or 'not part of mode=sup'}")
    low, high = g.value_range
    share = check.round_trip_error / (high - low)
    print(f"round trip error {share:.1e} of the value range, [{low:g}, {high:g}]")
    show("picture", picture)
    show("generator", folder)
    pretrain = next_command(cfg, "pretrain", "views=learned")
    print(f"next: {pretrain}, or {next_command(cfg, 'export-generator')}")
    return g.requires_grad_(False)


def plan_game(cfg: DictConfig) -> tuple[GameSettings, CropFlip, list[int]]:
    """Build what needs no data: settings, crops, and the steps after which generators are kept.

    Raises:
        InputError: for any option that is wrong whatever the data.
    """
    return instantiate(cfg.game), instantiate(cfg.augment), steps_kept(cfg)


def build_game(
    cfg: DictConfig, settings: GameSettings, augment: CropFlip, data: DataSet
) -> tuple[Game, Tensor, DataSet]:
    """Build the players g, f and c and their game; return it, labelled images, and placed data."""
    data.check_complete("the game")
    height, width = data.train.source.shape[2:]
    augment.check_size(height, width, "budget.patch")
    labelled = data.train.labels[:0]  # none
    if settings.classified:
        data.check_classes(f"mode={settings.mode}, unlike mode=unsup,")
        labelled = labelled_images(cfg, data)
    fabric, data = launch(cfg, data)
    describe_images(data, fabric.is_global_zero)
    if settings.classified:
        warn_of_labels(data, fabric.is_global_zero)
    settings = replace(
        settings, batch=fitting("game.batch", settings.batch, len(data.train), fabric)
    )
    if settings.classified:
        few = fitting("game.labelled_batch", settings.labelled_batch, len(labelled), fabric)
        settings = replace(settings, labelled_batch=few)
    estimator = plain(cfg.estimator)
    with seeded(cfg.seed, "generator"):
        g = ViewGenerator(
            **data.generator_options,
            groups=plain(cfg.groups),
            color=cfg.color,
            flow=plain(cfg.flow),
        )
    channels = g.view_channels
    f = build_encoders(view_channels=channels, seed=cfg.seed, **estimator)
    estimator["dim"] = max(len(data.classes), 2)
    c = build_encoders(view_channels=channels, seed=cfg.seed, normalize=False, **estimator)
    game = Game(g, cfg.crops, f, c, data.train, labelled, augment, settings, fabric)
    return game, labelled, data


def labelled_images(cfg: DictConfig, data: DataSet) -> Tensor:
    """Return the indices of the images whose labels may be seen; a number or a share will do."""
    if isinstance(cfg.labels, DictConfig):
        labelled: Tensor = instantiate(cfg.labels, data.train.labels, seed=cfg.seed)
        return labelled
    name = "number" if isinstance(cfg.labels, int) else "share"
    return labelled_subset(data.train.labels, **{name: cfg.labels}, seed=cfg.seed)


def steps_kept(cfg: DictConfig) -> list[int]:
    """Return the steps after which generators are kept."""
    one_of("select", cfg.select, ("last", "sweet_spot"))
    if cfg.select == "sweet_spot" and cfg.game.mode == "unsup":
        raise InputError("select: sweet_spot needs labels, mode=unsup has none; set mode=semi")
    total = count_processes(cfg.devices, cfg.nodes).total
    if cfg.select == "sweet_spot" and total > 1:
        raise InputError(f"select: sweet_spot is for one process, got {total}")
    return steps_to_keep(cfg.game.steps, cfg.keep or KEPT * (cfg.select == "sweet_spot"))


def keep(steps: Iterator[Metrics], game: Game, run: Run, kept: list[int]) -> None:
    """Play a game to its end, and save the generator after some of the steps."""
    for _ in steps:
        if run.main and game.step in kept:
            training = {"step": game.step, "steps": game.steps}
            game.result.save(run.product_folder(f"along/{game.step:07d}"), training)


def select(
    cfg: DictConfig, run: Run, game: Game, labelled: Tensor
) -> tuple[ViewGenerator, Encoders, dict[str, Any]]:
    """Return the generator that the labels prefer, new encoders of its views, and candidates."""
    s = cfg.selection
    tried: list[tuple[selection.Candidate, ViewGenerator, Encoders]] = []
    settings = PretrainSettings(s.epochs, cfg.game.batch, cfg.game.temperature, seed=cfg.seed)
    for folder in sorted((run.folder / "along").iterdir()):
        g = load_generator(folder, game.fabric.device)
        eight_bits = g.takes_8_bit_colors and game.train.source.dtype == torch.uint8
        views = LearnedViews(g, cfg.crops, ColorTable(g) if eight_bits else None)
        f = build_encoders(view_channels=g.view_channels, seed=cfg.seed, **plain(cfg.estimator))
        with show_work(f"candidate {len(tried) + 1}"):
            folds, i_nce = selection.score_views(
                views, f, game.train, labelled, game.augment, settings, s.folds, game.fabric
            )
        candidate = selection.Candidate(int(folder.name), folds, i_nce)
        print(f"candidate {len(tried) + 1}: {candidate}", file=sys.stderr)
        tried.append((candidate, g, f))
    candidates = [candidate for candidate, _, _ in tried]
    place = selection.select_candidate(candidates)
    candidate, g, f = tried[place]
    print(f"selected: {candidate}, {selection.explain_selection(candidates, place)}")
    facts = [asdict(c) | {"accuracy": c.accuracy} for c in candidates]
    return g, f, {"selected": candidate.step, "candidates": facts}
