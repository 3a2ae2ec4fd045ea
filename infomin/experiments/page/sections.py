"""The sections of a page, one per table: rows, charts, thumbnails, and differing settings."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from markupsafe import Markup

from infomin.core.page.text import as_text, cut
from infomin.experiments import figures
from infomin.experiments.comparison import compared_settings, differing
from infomin.experiments.figures import Points
from infomin.experiments.page.run_files import (
    Thumbnail,
    curves,
    loss_unit,
    thumbnails,
    training_cap,
)
from infomin.experiments.page.summary import Summary, summarize
from infomin.experiments.results import I_NCE, MINUTES, MeanAndStd, ResultRow, ResultTable, decimals
from infomin.runs.settings import Setting

KINDS = {
    "pretrain": "Pretraining",
    "linear_eval": "Linear evaluation",
    "learn_views": "View learning",
    "segment": "Segmentation",
    "share_factors": "Colorful-Moving-MNIST",
    "estimate_information": "Estimates of information",
}
_MOST_ROWS, _MOST_COLUMNS, _MOST_SETTINGS, _MOST_CURVES = 60, 8, 40, 36
_MOST_WARNINGS, _MOST_DIFFERENCES, _MOST_LETTERS = 12, 4, 60
_ROOM = 1_200_000  # bytes of all thumbnails, and of all charts
_IMPORTANT = ["result: data", "data.size", "budget.name", "pretrain.batch", "game.batch"]
_IMPORTANT += ["result: protocol", "encoder.name", "pretrain.epochs", "game.steps"]


class Section(NamedTuple):
    """A table with all that belongs to it."""

    title: str
    separate: str  # why its numbers are not comparable with other tables; empty for a single table
    table: ResultTable
    rows: Sequence[ResultRow]  # the first of the table
    summary: Summary | None
    metrics: list[str]
    charts: list[tuple[str, Markup]]  # caption and SVG
    thumbnails: list[Thumbnail]
    differences: dict[str, list[str]]  # settings that differ, one value per row
    partial: list[str]  # groups of settings that only some rows have, and how many
    shared: dict[str, str]
    warnings: list[str]  # that runs recorded


def sections(tables: Sequence[ResultTable]) -> list[Section]:
    """Return a section per table; charts and thumbnails as far as they fit on the page."""
    results: list[Section] = []
    room = chart_room = _ROOM
    for table in tables:
        pictures = thumbnails(table.rows, room)
        room -= sum(len(each.picture) for each in pictures)
        charts = _charts(table) if chart_room > 0 else []
        chart_room -= sum(len(chart) for _, chart in charts)
        differences, partial = _differences(table)
        shared = islice(table.protocol.items(), 2 * _MOST_SETTINGS)
        results.append(
            Section(
                title=table_title(table),
                separate=_separate(table, [t for t in tables if t is not table]),
                table=table,
                rows=table.rows[:_MOST_ROWS],
                summary=summarize(table),
                metrics=sorted(table.metrics, key=lambda name: name == MINUTES),
                charts=charts,
                thumbnails=pictures,
                differences=differences,
                partial=partial,
                shared={cut(name): as_text(value) for name, value in shared},
                warnings=_warnings(table),
            )
        )
    return results


def table_title(table: ResultTable) -> str:
    """Return kind, data, image size and budget of a table."""
    setting = table.protocol.get
    digits, size, budget = (setting(n) for n in ("result: digits", "data.size", "budget.name"))
    data = as_text(setting("result: data"))
    if digits is not None:
        data = f"{as_text(digits)} over {as_text(setting('result: backgrounds'))}"
    words = [f"{KINDS.get(table.kind, table.kind)}, {data}"]
    words += [f"{as_text(size)} px"] if size is not None else []
    words += [f"budget {as_text(budget)}"] if budget is not None else []
    return cut(", ".join(words), 120)


def cell(value: MeanAndStd | float | None, metric: str) -> str:
    """Return a number, mean ± standard deviation, or a dash."""
    digits = decimals(metric)
    if value is None:
        return "–"
    if not isinstance(value, MeanAndStd):
        return f"{value:.{digits}f}".replace("-", "−")
    std = "" if value.std is None or metric == MINUTES else f" ± {value.std:.{digits}f}"
    return f"{value.mean:.{digits}f}{std}".replace("-", "−")


def _charts(table: ResultTable) -> list[tuple[str, Markup]]:
    """Return the caption and the SVG of each chart that has data."""
    charts = []
    if table.points:
        label = f"{table.score} of every run"
        counts = ", ".join(f"{len(score.values)}" for _, _, score in table.points)
        note = f"Bars: one standard deviation over n seeds, n = {counts}."
        charts.append((label, note, figures.seeds_figure(table)))
    if any(i_nce for _, i_nce, _ in table.points):
        label = f"{table.score} against held-out I_NCE"
        note = "The information that views share against its use. Bars: one standard deviation."
        charts.append((label, note, figures.accuracy_figure(table, names=False)))
    runs = [(i, r.run) for i, row in enumerate(table.rows) for r in row.records][:_MOST_CURVES]
    metrics: dict[str, list[tuple[int, Points]]] = {I_NCE: []}
    for i, run in runs:
        loss, i_nce = curves(run.folder)
        metrics[I_NCE].append((i, i_nce))
        metrics.setdefault(f"loss, {loss_unit(run)}", []).append((i, loss))
    for name, lines in metrics.items():
        if any(line for _, line in lines):
            cap = training_cap(runs[0][1]) if name == I_NCE else None
            label, note = f"{name} over the steps of training", "One line per run, with its row."
            charts.append((label, note, figures.training_figure(lines, name, cap)))
    return [(f"{label}. {note}", figures.to_svg(figure, label)) for label, note, figure in charts]


def _differences(table: ResultTable) -> tuple[dict[str, list[str]], list[str]]:
    """Return settings with several values, one per row, and settings that only some rows have."""
    first_runs = [row.records[0].run for row in table.rows[:_MOST_COLUMNS]]
    values = differing([compared_settings(run) for run in first_runs])
    several = {name: v for name, v in values.items() if len({*v} - {None}) > 1}
    groups = Counter(name.rpartition(".")[0] or name for name in values if name not in several)
    partial = [f"{cut(group)} ({n})" for group, n in islice(groups.items(), _MOST_SETTINGS)]
    shown = islice(several.items(), _MOST_SETTINGS)
    return {cut(name): [_value(value) for value in v] for name, v in shown}, partial


def _separate(table: ResultTable, others: Sequence[ResultTable]) -> str:
    """Return the settings in which a table differs from others of its kind; empty if alone."""
    rivals = [other for other in others if bool(other.points) == bool(table.points)]
    alike = [rival for rival in rivals if rival.kind == table.kind]
    if not alike:
        return "they are of another kind" if rivals else ""
    values = differing([table.protocol, *(rival.protocol for rival in alike)])
    rank = {name: i for i, name in enumerate(_IMPORTANT)}
    words = []
    for name in sorted(values, key=lambda name: rank.get(name, len(rank))):
        own, *elsewhere = dict.fromkeys(map(_value, values[name]))
        text = f"{own} (elsewhere {' or '.join(elsewhere)})"
        name = cut(name.removeprefix("result: "), 40)
        words.append(f"{name} {text if len(text) <= _MOST_LETTERS else 'differs'}")
    more = len(words) - _MOST_DIFFERENCES
    return "; ".join(words[:_MOST_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")


def _warnings(table: ResultTable) -> list[str]:
    """Return the warnings about collapsed views that runs recorded."""
    return [
        f"row {i}, seed {as_text(record.seed)}: {cut(as_text(warning), 200)}"
        for i, row in enumerate(table.rows, 1)
        for record in row.records
        if isinstance(collapsed := record.run.result.get("collapsed"), list)
        for warning in collapsed[:4]
    ][:_MOST_WARNINGS]


def _value(value: Setting) -> str:
    return "–" if value is None else cut(as_text(value), _MOST_LETTERS)
