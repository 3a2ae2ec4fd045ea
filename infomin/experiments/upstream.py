"""Join the settings of a run with those of the runs it builds on: its game, its pretraining.

Two pretrainings on learned views differ in more than their seed if their games did. A run records
the game of its generator. For older runs, the game is looked up if only one run can be meant.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infomin.experiments.run_index import FinishedRun
from infomin.runs import settings
from infomin.runs.settings import Setting

GENERATOR, ENCODER = "generator", "encoder"
_GAME = ("data", "objective", "steps", "settings")  # of the game, in the result of a pretraining


def with_upstream_settings(runs: Sequence[FinishedRun]) -> list[FinishedRun]:
    """Return runs with the settings of the runs they build on."""
    games = [run for run in runs if run.kind == "learn_views"]
    with_games = [_with_game(run, games) for run in runs]
    pretrained = [run for run in with_games if run.kind == "pretrain"]
    return [_with_pretraining(run, pretrained) for run in with_games]


def _with_game(run: FinishedRun, games: Sequence[FinishedRun]) -> FinishedRun:
    if run.settings.get("views.kind") != "learned":
        return run
    generator = run.result.get(GENERATOR)
    if not isinstance(generator, dict):
        game = _game(run, games)
        if game:
            generator = {name: game.result.get(name) for name in _GAME}
        else:  # tell generators apart by their paths
            path = run.settings.get("views.generator") or f"newest in {run.out.name}"
            generator = {"folder": path}
    return replace(run, settings={**run.settings, **settings.flat({GENERATOR: generator})})


def _game(run: FinishedRun, games: Sequence[FinishedRun]) -> FinishedRun | None:
    """Return the only game that can have made the generator of a run."""
    generator, folder = run.settings.get("views.generator"), run.settings.get("views.runs")
    if generator is not None:
        name = Path(str(generator)).parent.name
        return _only([game for game in games if game.folder.name == name])
    out = run.out if folder is None else run.out.parent / Path(str(folder)).name
    return _only([game for game in games if game.out == out])


def _with_pretraining(run: FinishedRun, pretrained: Sequence[FinishedRun]) -> FinishedRun:
    encoder = run.result.get(ENCODER)
    if not isinstance(encoder, str):
        return run
    source = _only([p for p in pretrained if p.folder.name == Path(encoder).parent.name])
    if source is None:
        return replace(run, settings={**run.settings, "encoder.folder": encoder})
    inherited: dict[str, Setting] = {
        f"pretraining.{name}" if name.startswith("data.") else name: value
        for name, value in source.settings.items()
    }
    inherited["encoder.views"] = str(source.result.get("views", "views unknown"))
    return replace(run, settings={**inherited, **run.settings}, seed=source.seed)


def _only(runs: Sequence[FinishedRun]) -> FinishedRun | None:
    return runs[0] if len(runs) == 1 else None
