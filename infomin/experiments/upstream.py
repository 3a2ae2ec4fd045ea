"""Join the settings of a run with those of the runs it builds on: its game, its pretraining.

Two pretrainings on learned views differ in more than their seed if their games did. A run records
the game of its generator. For older runs, the game is looked up if only one run can be meant.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from infomin.experiments.run_index import FinishedRun
from infomin.runs import settings

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
    generator, path = run.result.get("generator"), run.settings.get("views.generator")
    if not isinstance(generator, dict):
        if path is not None:
            name = Path(str(path)).parent.name
            possible = [game for game in games if game.folder.name == name]
        else:
            folder = run.settings.get("views.runs")
            out = run.out if folder is None else run.out.parent / Path(str(folder)).name
            possible = [game for game in games if game.out == out]
        if len(possible) == 1:
            generator = {name: possible[0].result.get(name) for name in _GAME}
        else:  # tell generators apart by their paths
            generator = {"folder": path or f"newest in {run.out.name}"}
    return replace(run, settings={**run.settings, **settings.flat({"generator": generator})})


def _with_pretraining(run: FinishedRun, pretrained: Sequence[FinishedRun]) -> FinishedRun:
    encoder = run.result.get("encoder")
    if not isinstance(encoder, str):
        return run
    sources = [each for each in pretrained if each.folder.name == Path(encoder).parent.name]
    if len(sources) != 1:
        return replace(run, settings={**run.settings, "encoder.folder": encoder})
    inherited = {
        f"pretraining.{name}" if name.startswith("data.") else name: value
        for name, value in sources[0].settings.items()
    }
    inherited["encoder.views"] = str(sources[0].result.get("views", "views unknown"))
    return replace(run, settings={**inherited, **run.settings}, seed=sources[0].seed)
