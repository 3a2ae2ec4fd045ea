"""Where the views and the encoder of a run come from: another run, which its settings join.

Two pretrainings on learned views differ in more than their seed when their games did. Runs record
what their generator was learned by; of older ones it is looked up in the game itself, where there
is no doubt which one that was.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from infomin.experiments.found import Finished
from infomin.runs import settings
from infomin.runs.settings import Setting

GENERATOR, ENCODER = "generator", "encoder"
_GAME = ("data", "objective", "steps", "settings")  # what a game tells of the generator it made


def joined(runs: Sequence[Finished]) -> list[Finished]:
    """Return runs with the settings of the runs that they build on."""
    with_views = [_with_game(run, [g for g in runs if g.kind == "learn_views"]) for run in runs]
    pretrained = [run for run in with_views if run.kind == "pretrain"]
    return [_with_pretraining(run, pretrained) for run in with_views]


def _with_game(run: Finished, games: Sequence[Finished]) -> Finished:
    if run.settings.get("views.kind") != "learned":
        return run
    told = run.result.get(GENERATOR)
    if not isinstance(told, dict):
        game = _game(run, games)
        told = {name: game.result.get(name) for name in _GAME} if game else _unknown(run)
    lineage = settings.flat({GENERATOR: told})
    return replace(run, settings={**run.settings, **lineage})


def _game(run: Finished, games: Sequence[Finished]) -> Finished | None:
    """Return the one game that can have made the generator of a run."""
    named, where = run.settings.get("views.generator"), run.settings.get("views.runs")
    if named is not None:
        return _only([g for g in games if g.folder.name == Path(str(named)).parent.name])
    out = run.out if where is None else run.out.parent / Path(str(where)).name
    return _only([g for g in games if g.out == out])


def _unknown(run: Finished) -> dict[str, Any]:
    """Tell generators apart by their places, where nothing better is known."""
    return {"folder": run.settings.get("views.generator") or f"newest in {run.out.name}"}


def _with_pretraining(run: Finished, pretrained: Sequence[Finished]) -> Finished:
    named = run.result.get(ENCODER)
    if not isinstance(named, str):
        return run
    source = _only([p for p in pretrained if p.folder.name == Path(named).parent.name])
    if source is None:
        return replace(run, settings={**run.settings, "encoder.folder": named})
    inherited: dict[str, Setting] = {
        f"pretraining.{name}" if name.startswith("data.") else name: value
        for name, value in source.settings.items()
    }
    inherited["encoder.views"] = str(source.result.get("views", "views unknown"))
    return replace(run, settings={**inherited, **run.settings}, seed=source.seed)


def _only(runs: Sequence[Finished]) -> Finished | None:
    return runs[0] if len(runs) == 1 else None
