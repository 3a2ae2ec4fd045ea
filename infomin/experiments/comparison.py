"""Which numbers may stand in one table: runs of one protocol, in rows that differ in the seed only.

What a comparison is about (views, crops, changes of colour, the game that made g) may differ from
row to row. Everything else (data, image size, budget, K, encoder, probe, and any setting that is
not known here) makes another protocol, and so another table.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infomin.core.page.text import cut, short
from infomin.experiments.found import Finished
from infomin.experiments.lineage import joined
from infomin.experiments.measures import measures, scored_by
from infomin.experiments.spread import Lead, Spread, lead, spread
from infomin.runs.settings import Setting, is_seed

Settings = Mapping[str, Setting]

_SUBJECT = (
    *("views.", "augment.", "photometric.", "randaugment."),
    *("generator.", "encoder.views", "encoder.folder"),
)
_TRAINED_BY = (
    *("system", "only_views", "loss.", "memory.", "graph", "pair_weights", "jigsaw."),
    *("encoder.head", "encoder.shared", "pretrain.temperature"),
)
_SUBJECT_OF_SHARING = ("shared", "supervised", "sharing.factors")
_SUBJECT_OF_GAMES = ("game.", "flow.", "labels.", "color", "groups", "crops")
_PROTOCOL_ANYWAY = {"augment.size", "game.batch", "game.steps", "game.temperature"}
_NO_MATTER = {"device", "devices", "save_every", "resume", "out", "pretrained", "layers"}
_NO_MATTER |= {
    "views.generator",
    "views.runs",
    "views.table",
    "data.cache",
    "pretraining.data.cache",
}
_WATCHED = "monitor."  # a training that is watched ends in the very numbers of one that is not
_OF_I_NCE = "result: I_NCE "
_TOLD, _TOLD_BY_SOME = ("data", "protocol", "chance"), ("digits", "backgrounds")
_MOST_DETAILS = 3


@dataclass(frozen=True, eq=False)
class Row:
    """Runs that differ in the seed only, one a seed: the newest.

    Attributes:
        name: of their views, or of their game.
        detail: what else tells them from rows of the same name.
        runs: sorted by seed.
        older: runs of a seed that was run again.
    """

    name: str
    detail: str
    runs: Sequence[Finished]
    older: Sequence[Finished]

    @property
    def title(self) -> str:
        """Name and detail."""
        return f"{self.name}, {self.detail}" if self.detail else self.name

    @property
    def seeds(self) -> list[int]:
        """Those that are known."""
        return [run.seed for run in self.runs if run.seed is not None]

    @property
    def score(self) -> Spread | None:
        """Mean and deviation of the measure by which runs of their kind are ranked."""
        return self.spread(scored_by(self.runs[0].kind))

    def spread(self, measure: str) -> Spread | None:
        """Return mean and deviation of a measure, None where no run has it."""
        values = [value for run in self.runs if (value := measures(run).get(measure)) is not None]
        return spread(values) if values else None

    def by_seed(self, measure: str) -> dict[int, float]:
        """Return a measure for every seed that has it."""
        found = ((run.seed, measures(run).get(measure)) for run in self.runs)
        return {seed: value for seed, value in found if seed is not None and value is not None}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A table: rows of one kind and one protocol, the most accurate first.

    Attributes:
        kind: of script.
        protocol: the settings that all runs share, and must.
        rows: at least one.
    """

    kind: str
    protocol: Settings
    rows: Sequence[Row]

    @property
    def scored_by(self) -> str:
        """The measure by which rows are ranked."""
        return scored_by(self.kind)

    @property
    def judged(self) -> bool:
        """Whether it was measured."""
        return any(row.score for row in self.rows)

    @property
    def runs(self) -> list[Finished]:
        """Those of all rows."""
        return [run for row in self.rows for run in row.runs]

    def lead(self, row: Row, other: Row) -> Lead | None:
        """Return how far a row is ahead of another; intervals of all rows with one hold at once."""
        others = max(1, len(self.rows) - 1)
        return lead(row.by_seed(self.scored_by), other.by_seed(self.scored_by), others)


def compared(runs: Sequence[Finished]) -> list[Comparison]:
    """Return tables of runs: accuracies first, the largest table of them first."""
    by_protocol = _with_uncapped(_grouped(joined(runs), protocol))
    tables = [Comparison(group[0].kind, protocol(group[0]), _rows(group)) for group in by_protocol]
    return sorted(tables, key=lambda table: (not table.judged, -len(table.runs), table.kind))


def protocol(run: Finished) -> dict[str, Setting]:
    """Return what runs of one table share."""
    told = {name: v for name, v in compared_settings(run).items() if not is_subject(run.kind, name)}
    result = {name: run.result.get(name) for name in _TOLD}
    result |= {name: run.result[name] for name in _TOLD_BY_SOME if name in run.result}
    chance, i_nce = result["chance"], run.result.get("i_nce")
    if isinstance(chance, dict):
        result["chance"] = chance.get("mean_iou")
    if isinstance(i_nce, dict):
        result |= {f"I_NCE {name}": i_nce.get(name) for name in ("cap", "images")}
    return {"kind": run.kind, **told, **{f"result: {k}": _plain(v) for k, v in result.items()}}


def compared_settings(run: Finished) -> dict[str, Setting]:
    """Return the settings that tell a run from others but for its seed."""
    return {
        name: value
        for name, value in run.settings.items()
        if name not in _NO_MATTER and not is_seed(name) and not name.startswith(_WATCHED)
    }


def is_subject(kind: str, name: str) -> bool:
    """Tell whether a setting is what comparisons are about."""
    of_kind = {"learn_views": _SUBJECT_OF_GAMES, "share_factors": _SUBJECT_OF_SHARING}
    subject = of_kind.get(kind, _SUBJECT + _TRAINED_BY)
    return name.startswith(subject) and name not in _PROTOCOL_ANYWAY


def differing(settings: Sequence[Settings]) -> dict[str, list[Setting]]:
    """Return the settings that are not the same everywhere: a value for each, None for none."""
    names = dict.fromkeys(name for told in settings for name in told)
    values = {name: [told.get(name) for told in settings] for name in names}
    return {name: v for name, v in values.items() if len({(type(x), x) for x in v}) > 1}


def _rows(runs: Sequence[Finished]) -> list[Row]:
    groups = _grouped(runs, compared_settings)
    names = [name_of(group[0]) for group in groups]
    rows = []
    for name, group in zip(names, groups, strict=True):
        rivals = [g[0] for n, g in zip(names, groups, strict=True) if n == name]
        newest, older = _one_a_seed(group)
        rows.append(Row(name, _detail(group[0], rivals), newest, older))
    best = {row: found.mean for row in rows if (found := row.score)}
    return sorted(rows, key=lambda row: (-best.get(row, -1.0), row.title))


def name_of(run: Finished) -> str:
    """Return what the views of a run are called, or its game."""
    told = run.settings.get
    if run.kind == "learn_views":
        return cut(f"{short(run.result.get('objective'))}, {short(told('color'))}", 60)
    if run.kind == "share_factors":
        shared = run.result.get("shared")
        return cut(" + ".join(map(short, shared)) if isinstance(shared, list) else "labels", 60)
    views = run.result.get("views") or told("encoder.views") or told("encoder.folder")
    objective = told("generator.objective")
    words = [short(views or "views unknown"), *([short(objective)] if objective else [])]
    return cut(", ".join(words), 60)


def _detail(run: Finished, rivals: Sequence[Finished]) -> str:
    """Return the settings by which a run differs from those of the same name, the telling first."""
    found = differing([compared_settings(rival) for rival in rivals])
    names = sorted(found, key=lambda name: -len({str(value) for value in found[name]}))
    told = [f"{name} {short(run.settings[name])}" for name in names if name in run.settings]
    more = [f"and {len(told) - _MOST_DETAILS} more"] if len(told) > _MOST_DETAILS else []
    return cut(", ".join(told[:_MOST_DETAILS] + more), 160)


def _one_a_seed(runs: Sequence[Finished]) -> tuple[list[Finished], list[Finished]]:
    """Return the newest run of each seed, and the rest; runs of no known seed are all kept."""
    newest: dict[object, Finished] = {}
    older = []
    for run in sorted(runs, key=lambda run: (str(run.origin.get("started")), run.folder.name)):
        key = run if run.seed is None else run.seed
        older += [newest.pop(key)] if key in newest else []
        newest[key] = run
    return sorted(newest.values(), key=lambda run: (run.seed is None, run.seed or 0)), older


def _grouped(runs: Sequence[Finished], key: Callable[[Finished], Settings]) -> list[list[Finished]]:
    groups: dict[frozenset[Any], list[Finished]] = {}
    for run in runs:
        told = frozenset((name, type(value), value) for name, value in key(run).items())
        groups.setdefault(told, []).append(run)
    return list(groups.values())


def _with_uncapped(groups: Sequence[list[Finished]]) -> list[list[Finished]]:
    """Let runs without I_NCE, of prediction or untrained, join those that are alike but for it."""
    told = [protocol(group[0]).items() for group in groups]
    rest = [frozenset((k, type(v), v) for k, v in t if not k.startswith(_OF_I_NCE)) for t in told]
    capped = [any(name.startswith(_OF_I_NCE) for name, _ in t) for t in told]
    hosts = {key: group for key, group, has in zip(rest, groups, capped, strict=True) if has}
    apart = []
    for key, group, has in zip(rest, groups, capped, strict=True):
        if has or key not in hosts:
            apart.append(group)
        else:
            hosts[key].extend(group)
    return apart


def _plain(value: Any) -> Setting:
    return value if isinstance(value, bool | int | float | str) else short(value)
