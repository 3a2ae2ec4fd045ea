"""What the page says of each table: its rows, charts, strips of views, and what differs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from markupsafe import Markup

from infomin.core.page.text import cut, number, short
from infomin.experiments import curves, marks
from infomin.experiments.comparison import Comparison, Row, compared_settings, differing
from infomin.experiments.measures import MINUTES, digits, measures
from infomin.experiments.page import charts
from infomin.experiments.page.answers import Answer, answer, signed
from infomin.experiments.page.strips import SHOWN, Strip, strips
from infomin.experiments.spread import Spread
from infomin.runs.settings import Setting

KINDS = {
    "pretrain": "Pretraining",
    "linear_eval": "Linear evaluation",
    "learn_views": "View learning",
    "segment": "Segmentation",
    "share_factors": "Colorful-Moving-MNIST",
    "estimate_information": "Estimates of information",
}
_ROWS, _COLUMNS, _KEYS, _CURVES = 60, 8, 40, 36
_NAMED = 4  # settings that are named where tables are told apart
_SHORT = 60  # letters of values that are told in a sentence
_FIRST = ["result: data", "data.size", "budget.name", "pretrain.batch", "game.batch"]
_FIRST += ["result: protocol", "encoder.name", "pretrain.epochs", "game.steps"]


@dataclass(frozen=True)
class Line:
    """A row of the table as text: its mark, its numbers, every seed, and how far it is behind."""

    row: Row
    mark: Markup
    cells: list[str]
    strip: Markup | None
    behind: str
    seeds: str


@dataclass(frozen=True)
class Section:
    """A table and what belongs to it.

    Attributes:
        title: what it is about.
        apart: why its numbers are not those of other tables; empty where it is the only one.
        measures: heads of the columns of numbers.
        ends: of the axis that all strips of seeds share, %.
        differences: settings that differ between rows, one value a row.
        partly: groups of settings that only some rows have, with one value, and how many.
        shared: the settings that do not differ.
    """

    title: str
    apart: str
    table: Comparison
    answer: Answer | None
    measures: list[str]
    lines: list[Line]
    ends: tuple[float, float] | None
    chance: float | None
    cap: float | None
    sweet_spot: Markup | None
    training: list[Markup]
    strips: list[Strip]
    differences: dict[str, list[str]]
    partly: list[str]
    shared: dict[str, str]
    warnings: list[str]


def sections(tables: Sequence[Comparison], room: int) -> list[Section]:
    """Return a section a table; strips of views have so many bytes together."""
    made: list[Section] = []
    for table in tables:
        rivals = [t for t in tables if t is not table and t.judged == table.judged]
        drawn = strips(table.rows, room)
        room -= sum(len(strip.picture) for strip in drawn)
        made.append(_section(table, rivals, drawn))
    return made


def written(found: Spread | None, measure: str) -> str:
    """Return mean ± deviation, of a single value only that."""
    if found is None:
        return "–"
    n = digits(measure)
    told = f"{found.mean:.{n}f}"
    alone = found.std is None or measure == MINUTES
    return (told if alone else f"{told} ± {found.std:.{n}f}").replace("-", "−")


def title(table: Comparison) -> str:
    """Return what a table is about: kind, data, size of the images, budget."""
    told = table.protocol.get
    kind = KINDS.get(table.kind, table.kind)
    data, size, budget = (told(name) for name in ("result: data", "data.size", "budget.name"))
    digits, behind = told("result: digits"), told("result: backgrounds")
    data = data if digits is None else f"{short(digits)} over {short(behind)}"
    words = [f"{kind}, {short(data)}"]
    words += [f"{short(size)} px"] if size is not None else []
    words += [f"budget {short(budget)}"] if budget is not None else []
    return cut(", ".join(words), 120)


def _section(table: Comparison, rivals: Sequence[Comparison], drawn: list[Strip]) -> Section:
    told = table.protocol
    chance, cap = told.get("result: chance"), told.get("result: I_NCE cap")
    percent = 100 * chance if number(chance) else None
    present = dict.fromkeys(name for run in table.runs for name in measures(run))
    shown = [*(name for name in present if name != MINUTES), *(present.keys() & {MINUTES})]
    values = [v for row in table.rows if (found := row.score) for v in found.values]
    ends = charts.ends(values, 1) if values else None
    differences, partly = _differences(table)
    return Section(
        title=title(table),
        apart=_apart(table, rivals),
        table=table,
        answer=answer(table),
        measures=shown,
        lines=[_line(i, row, table, shown, ends) for i, row in enumerate(table.rows[:_ROWS])],
        ends=ends,
        chance=percent,
        cap=cap if number(cap) else None,
        sweet_spot=charts.sweet_spot(table, _ROWS, cap if number(cap) else None, percent),
        training=_training(table),
        strips=drawn,
        differences=differences,
        partly=partly,
        shared={cut(name): short(v) for name, v in islice(table.protocol.items(), 2 * _KEYS)},
        warnings=_warnings(table),
    )


def _line(
    i: int, row: Row, table: Comparison, shown: Sequence[str], ends: tuple[float, float] | None
) -> Line:
    score = row.score
    return Line(
        row=row,
        mark=marks.legend(i),
        cells=[written(row.spread(name), name) for name in shown],
        strip=charts.strip(i, score, ends, table.scored_by) if score and ends else None,
        behind=_behind(row, table),
        seeds=cut(", ".join(map(str, row.seeds)) or "unknown", 40),
    )


def _behind(row: Row, table: Comparison) -> str:
    """Return how far a row is behind the first, with its interval."""
    if row is table.rows[0]:
        return "–"
    found = table.lead(row, table.rows[0])
    if found is None:
        return "no common seed"
    told = signed(found.mean)
    if found.low is None or found.high is None:
        return told
    mark = "●" if found.sure else "○"
    return f"{told} [{signed(found.low)}, {signed(found.high)}] {mark}"


def _differences(table: Comparison) -> tuple[dict[str, list[str]], list[str]]:
    """Return settings with several values, a value for each row, and those of some rows only."""
    found = differing([compared_settings(row.runs[0]) for row in table.rows[:_COLUMNS]])
    several = {name for name, values in found.items() if len({*values} - {None}) > 1}
    told = {name: [_value(v) for v in found[name]] for name in found if name in several}
    groups = Counter(name.rpartition(".")[0] or name for name in found if name not in several)
    partly = [f"{cut(group)} ({n})" for group, n in islice(groups.items(), _KEYS)]
    return {cut(name): told[name] for name in islice(told, _KEYS)}, partly


def _training(table: Comparison) -> list[Markup]:
    """Return the charts of I_NCE and of the loss, one for each of its units."""
    runs = [(i, run) for i, row in enumerate(table.rows) for run in row.runs][:_CURVES]
    logged = [(i, curves.curves(run.folder)) for i, run in runs]
    i_nces = [charts.Line(i, found) for i, (_, found) in logged]
    losses: dict[str, list[charts.Line]] = {}
    for (i, run), (_, (found, _)) in zip(runs, logged, strict=True):
        losses.setdefault(curves.unit(run), []).append(charts.Line(i, found))
    drawn = [charts.training(i_nces, "I_NCE, nats", curves.cap(table.rows[0].runs[0]))]
    drawn += [charts.training(lines, f"loss, {unit}") for unit, lines in losses.items()]
    return [chart for chart in drawn if chart is not None]


def _apart(table: Comparison, rivals: Sequence[Comparison]) -> str:
    """Say in which settings a table differs from the others of its kind, or that it is alone."""
    alike = [rival for rival in rivals if rival.kind == table.kind]
    if not alike:
        return "they are of another kind" if rivals else ""
    found = differing([table.protocol, *(rival.protocol for rival in alike)])
    names = sorted(found, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    told = []
    for name in names:
        own, *others = map(_value, found[name])
        elsewhere = " or ".join(dict.fromkeys(value for value in others if value != own))
        values = f"{own} (elsewhere {elsewhere})"
        name = cut(name.removeprefix("result: "), 40)
        told.append(f"{name} {values if len(values) <= _SHORT else 'is another'}")
    more = f"; and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return "; ".join(told[:_NAMED]) + more


def _warnings(table: Comparison) -> list[str]:
    """Return what the runs themselves warned of."""
    told = []
    for i, row in enumerate(table.rows):
        for run in row.runs:
            collapsed = run.result.get("collapsed")
            for warning in collapsed[:4] if isinstance(collapsed, list) else []:
                told.append(f"row {i + 1}, seed {short(run.seed)}: {cut(short(warning), 200)}")
    return told[:12]


def _value(value: Setting) -> str:
    return "–" if value is None else cut(short(value), 60)


__all__ = ["SHOWN", "Section", "sections", "written"]
