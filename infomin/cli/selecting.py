"""`select=sweet_spot`: of the generators kept along a game, the one that the labels prefer."""

import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import torch
from omegaconf import DictConfig
from torch import Tensor

from infomin.cli.main import plain
from infomin.core.errors import InputError, one_of
from infomin.evaluation import selection
from infomin.generator import ViewGenerator, load_generator
from infomin.models import Encoders, build_encoders
from infomin.runs.folder import Run
from infomin.training.contrastive import ContrastiveSettings
from infomin.training.learner import Metrics
from infomin.training.view_learning import Game
from infomin.views import LearnedViews
from infomin.views.color_table import ColorTable

KEPT = 8
"""Generators along the game, where none are asked for and one is to be selected."""


def steps_kept(cfg: DictConfig) -> list[int]:
    """Return the steps after which generators are kept."""
    one_of("select", cfg.select, ("last", "sweet_spot"))
    if cfg.select == "sweet_spot" and cfg.game.mode == "unsup":
        raise InputError("select: sweet_spot asks labels, mode=unsup has none; take mode=semi")
    if cfg.select == "sweet_spot" and cfg.devices > 1:
        raise InputError(f"select: sweet_spot is for one process, got devices={cfg.devices}")
    return selection.steps_to_keep(cfg.game.steps, cfg.keep or KEPT * (cfg.select == "sweet_spot"))


def keeping(steps: Iterator[Metrics], game: Game, run: Run, kept: list[int]) -> None:
    """Play a game, and keep the generator after some of the steps."""
    for _ in steps:
        if run.main and game.step in kept:
            training = {"step": game.step, "steps": game.steps}
            game.result.save(run.place(f"along/{game.step:07d}"), training)


def select(
    cfg: DictConfig, run: Run, game: Game, labelled: Tensor
) -> tuple[ViewGenerator, Encoders, dict[str, Any]]:
    """Return the generator that the labels prefer, new encoders of its views, and all findings."""
    s, tried = cfg.selection, []
    settings = ContrastiveSettings(s.epochs, cfg.game.batch, cfg.game.temperature, seed=cfg.seed)
    for folder in sorted((run.folder / "along").iterdir()):
        g = load_generator(folder, game.fabric.device)
        eight_bits = g.takes_8_bit_colors and game.train.images.dtype == torch.uint8
        views = LearnedViews(g, cfg.crops, ColorTable(g) if eight_bits else None)
        f = build_encoders(view_channels=g.view_channels, seed=cfg.seed, **plain(cfg.estimator))
        judged = selection.score_views(
            views, f, game.train, labelled, game.augment, settings, s.folds, game.fabric
        )
        found = selection.Candidate(int(folder.name), *judged)
        print(f"candidate {len(tried) + 1}: {found}", file=sys.stderr)
        tried.append((found, g, f))
    candidates = [found for found, _, _ in tried]
    place = selection.select_candidate(candidates)
    found, g, f = tried[place]
    print(f"selected: {found}, {selection.explain_selection(candidates, place)}")
    return (
        g,
        f,
        {
            "selected": found.step,
            "candidates": [asdict(c) | {"accuracy": c.accuracy} for c in candidates],
        },
    )
