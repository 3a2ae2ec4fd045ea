"""A training that is looked at on its way: logged, said in a line, and kept in the result."""

from typing import Any

from omegaconf import DictConfig

from infomin.cli.main import build
from infomin.data import DataSet
from infomin.evaluation.collapse import collapse_history, find_collapses
from infomin.evaluation.monitoring import Monitor, line
from infomin.runs.folder import Run
from infomin.training.contrastive import Pretraining

PREFIX = "monitor/"
"""Of what is logged, which the metrics of steps are told apart from by it."""


def make_monitor(cfg: DictConfig, learner: Pretraining, data: DataSet) -> Monitor | None:
    """Make what looks at encoders; of several processes only the first one looks."""
    settings = build(cfg.monitor)
    if not settings.every or not learner.fabric.is_global_zero:
        return None
    return Monitor(learner, data, cfg.encoder.size, settings, cfg.probe.tap)


def train(
    run: Run, learner: Pretraining, monitor: Monitor | None, label: str, save_every: float
) -> dict[str, Any]:
    """Follow a learner to its end; return what a result keeps of the looks at it.

    What was found before is read from the log: a resumed run knows what it would have known.
    """
    for metrics in run.follow(learner, label, save_every):
        if monitor and monitor.due(learner.step) and (found := monitor.look(metrics)):
            known = find_collapses(looks[-1]) if (looks := _looks(run)) else {}
            run.log(learner.step, {f"{PREFIX}{name}": value for name, value in found.items()})
            run.say(line(found))
            for kind, warning in find_collapses(found).items():
                if kind not in known:
                    run.say(f"warning: {warning}")
    looks = _looks(run) if monitor else []
    return {"monitor": looks[-1], "collapsed": collapse_history(looks)} if looks else {}


def _looks(run: Run) -> list[dict[str, float]]:
    """Return what was found, in order of time."""
    logged = run.logged(f"{PREFIX}epoch")
    return [
        {n.removeprefix(PREFIX): value for n, value in found.items() if n != "step"}
        for found in logged
    ]
