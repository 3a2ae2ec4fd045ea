"""Sort runs into tables by protocol, and into rows that differ in the seed only.

Rows of one table may differ in the subject of a comparison: views, crops, colour augmentation, the
method, or the game behind g. Any other setting (data, image size, budget, K, encoder, probe, and
every unknown one) belongs to the protocol and starts another table.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infomin.core.page.text import as_text, cut
from infomin.experiments.results import ResultRow, ResultTable, RunRecord, metrics
from infomin.experiments.run_index import FinishedRun
from infomin.experiments.upstream import with_upstream_settings
from infomin.runs.settings import Setting, is_seed

Settings = Mapping[str, Setting]

_SUBJECT = (
    *("views.", "augment.", "photometric.", "randaugment.", "generator."),
    *("encoder.views", "encoder.folder", "encoder.head", "encoder.shared"),
    *("system", "method", "only_views", "loss.", "memory.", "graph", "pair_weights", "jigsaw."),
    "pretrain.temperature",
)
_SUBJECT_OF = {
    "learn_views": ("game.", "flow.", "labels.", "color", "groups", "crops"),
    "share_factors": ("shared", "supervised", "sharing.factors"),
}
_PROTOCOL = {"augment.size", "game.batch", "game.steps", "game.temperature"}  # despite their prefix
_IGNORED = {
    *("device", "devices", "save_every", "resume", "out", "pretrained", "layers"),
    *("views.generator", "views.runs", "views.table", "data.cache", "pretraining.data.cache"),
    *("epochs", "batch", "steps"),  # short names of pretrain.epochs, game.batch, ...
}
_IGNORED |= {f"{node}._target_" for node in ("pretrain", "game")}  # without a choice
_IGNORED_PREFIX = "monitor."  # monitoring changes no number
_I_NCE = "result: I_NCE "
_REQUIRED, _OPTIONAL = ("data", "protocol", "chance"), ("digits", "backgrounds")
_MOST_DETAILS = 3


def result_tables(runs: Sequence[FinishedRun]) -> list[ResultTable]:
    """Return the tables of runs: scored tables first, the largest of them first."""
    groups = _join_without_i_nce(_grouped(with_upstream_settings(runs), protocol))
    tables = [ResultTable(group[0].kind, protocol(group[0]), _rows(group)) for group in groups]
    return sorted(tables, key=lambda table: (not table.points, -len(table.records), table.kind))


def protocol(run: FinishedRun) -> dict[str, Setting]:
    """Return the settings that all runs of one table share."""
    shared = {k: v for k, v in compared_settings(run).items() if not is_subject(run, k)}
    result = {name: run.result.get(name) for name in _REQUIRED}
    result |= {name: run.result[name] for name in _OPTIONAL if name in run.result}
    chance, i_nce = result["chance"], run.result.get("i_nce")
    if isinstance(chance, dict):
        result["chance"] = chance.get("mean_iou")
    if isinstance(i_nce, dict):
        result |= {f"I_NCE {name}": i_nce.get(name) for name in ("cap", "images")}
    return {"kind": run.kind, **shared, **{f"result: {k}": _plain(v) for k, v in result.items()}}


def compared_settings(run: FinishedRun) -> dict[str, Setting]:
    """Return all settings that can change a number, except the seed."""
    return {
        name: value
        for name, value in run.settings.items()
        if name not in _IGNORED and not is_seed(name) and not name.startswith(_IGNORED_PREFIX)
    }


def is_subject(run: FinishedRun, name: str) -> bool:
    """Return whether rows of one table may differ in a setting, such as an option of a method."""
    subject = (*_SUBJECT_OF.get(run.kind, _SUBJECT), f"{run.settings.get('method')}.")
    return name.startswith(subject) and name not in _PROTOCOL


def differing(settings: Sequence[Settings]) -> dict[str, list[Setting]]:
    """Return the settings that differ, with one value per item; None where one is missing."""
    names = dict.fromkeys(name for each in settings for name in each)
    values = {name: [each.get(name) for each in settings] for name in names}
    return {name: v for name, v in values.items() if len({(type(x), x) for x in v}) > 1}


def row_name(run: FinishedRun) -> str:
    """Return the name of the views of a run, or of its game."""
    setting = run.settings.get
    if run.kind == "learn_views":
        color = run.result.get("color") or setting("color")
        return cut(f"{as_text(run.result.get('objective'))}, {as_text(color)}", 60)
    if run.kind == "share_factors":
        shared = run.result.get("shared")
        return cut(" + ".join(map(as_text, shared)) if isinstance(shared, list) else "labels", 60)
    views = run.result.get("views") or setting("encoder.views") or setting("encoder.folder")
    objective = setting("generator.objective")
    words = [as_text(views or "views unknown"), *([as_text(objective)] if objective else [])]
    return cut(", ".join(words), 60)


def _rows(runs: Sequence[FinishedRun]) -> list[ResultRow]:
    """Return one row per group of equal settings, the best score first."""
    groups = _grouped(runs, compared_settings)
    names = [row_name(group[0]) for group in groups]
    rows = []
    for name, group in zip(names, groups, strict=True):
        namesakes = [g[0] for n, g in zip(names, groups, strict=True) if n == name]
        newest, older = _newest_by_seed(group)
        records = [RunRecord(run.seed, run, metrics(run)) for run in newest]
        rows.append(ResultRow(name, _detail(group[0], namesakes), records, older))
    best = {i: score.mean for i, _, score in ResultTable(runs[0].kind, {}, rows).points}
    order = sorted(range(len(rows)), key=lambda i: (-best.get(i, -1.0), rows[i].title))
    return [rows[i] for i in order]


def _detail(run: FinishedRun, namesakes: Sequence[FinishedRun]) -> str:
    """Return the settings that distinguish a run from its namesakes, the most varied first."""
    values = differing([compared_settings(each) for each in namesakes])
    names = sorted(values, key=lambda name: -len({str(value) for value in values[name]}))
    words = [f"{name} {as_text(run.settings[name])}" for name in names if name in run.settings]
    more = [f"and {len(words) - _MOST_DETAILS} more"] if len(words) > _MOST_DETAILS else []
    return cut(", ".join(words[:_MOST_DETAILS] + more), 160)


def _newest_by_seed(
    runs: Sequence[FinishedRun],
) -> tuple[list[FinishedRun], list[FinishedRun]]:
    """Return the newest run of each seed and all others; every run of unknown seed is kept."""
    ordered = sorted(runs, key=lambda run: (str(run.provenance.get("started")), run.folder.name))
    by_seed = {run if run.seed is None else run.seed: run for run in ordered}
    newest = sorted(by_seed.values(), key=lambda run: (run.seed is None, run.seed or 0))
    return newest, [run for run in ordered if run not in newest]


def _grouped(
    runs: Sequence[FinishedRun], key: Callable[[FinishedRun], Settings]
) -> list[list[FinishedRun]]:
    groups: dict[frozenset[Any], list[FinishedRun]] = {}
    for run in runs:
        groups.setdefault(_hashable(key(run)), []).append(run)
    return list(groups.values())


def _join_without_i_nce(groups: Sequence[list[FinishedRun]]) -> list[list[FinishedRun]]:
    """Let runs without I_NCE join the table of runs with the same protocol otherwise.

    Encoders that were trained by prediction, or not at all, have no I_NCE.
    """
    hosts: dict[frozenset[Any], list[FinishedRun]] = {}
    guests = []
    for group in groups:
        settings = protocol(group[0])
        others = {name: v for name, v in settings.items() if not name.startswith(_I_NCE)}
        if len(others) < len(settings):
            hosts[_hashable(others)] = group
        else:
            guests.append((group, _hashable(others)))
    joined = [group for group, key in guests if key in hosts]
    for group, key in guests:
        hosts.get(key, []).extend(group)
    return [group for group in groups if group not in joined]


def _hashable(settings: Settings) -> frozenset[Any]:
    return frozenset((name, type(value), value) for name, value in settings.items())


def _plain(value: Any) -> Setting:
    return value if isinstance(value, bool | int | float | str) else as_text(value)
