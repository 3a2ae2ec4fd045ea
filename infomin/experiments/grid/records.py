"""The records of a grid of pretrainings, and the table of results made from them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infomin.core.errors import InputError
from infomin.experiments.grid.cells import CROP, PretrainingCell
from infomin.experiments.results import (
    CAP,
    CHANCE,
    I_NCE,
    KNN,
    MINUTES,
    PIXELS,
    TOP1,
    ResultRow,
    ResultTable,
    RunRecord,
    gains_by_seed,
    metrics,
    score_axis,
    score_name,
)
from infomin.experiments.run_index import FinishedRun, newest_run
from infomin.experiments.tables import TextRow, describe_runs, plus_minus

_GAME_I_NCE, _COLLAPSED = "I_NCE in the game", "collapsed"


@dataclass(frozen=True, eq=False)
class CellRecord(RunRecord):
    """The numbers of a finished cell; `run` is its evaluation, often the pretraining itself."""

    cell: PretrainingCell
    pretraining: FinishedRun

    @property
    def score(self) -> float:
        """The score that ranks rows, in [0, 1]."""
        return float(self.run.result["mean_iou" if self.run.kind == "segment" else "top1"])

    @property
    def picture(self) -> Path:
        """The picture of the views."""
        return self.pretraining.folder / "pictures" / "views.png"

    @property
    def input(self) -> str:
        """The colour space of its input; `channels` where images are not R, G, B."""
        channels = "-channels" in str(self.pretraining.result.get("views"))
        return "channels" if channels and self.cell.color == "rgb" else self.cell.color

    @property
    def cap(self) -> float | None:
        """Upper limit log K of the held-out I_NCE, nats; None without I_NCE."""
        i_nce = self.pretraining.result.get("i_nce")
        return float(i_nce["cap"]) if i_nce else None

    def __str__(self) -> str:
        name = score_axis(score_name(self.run.kind)).removesuffix(" %")
        i_nce = f"I_NCE {self.metrics[I_NCE]:.2f}, " if I_NCE in self.metrics else ""
        return f"{name} {self.score:.1%}, {i_nce}{self.metrics[MINUTES]:.1f} min"


def read_cell(cell: PretrainingCell, evaluation: str | None = None) -> CellRecord:
    """Read the newest runs of a finished cell.

    The evaluation is `linear_eval` or `segment`, or None if the pretraining evaluates itself.
    """
    pretraining = newest_run(cell.folder / "pretrain")
    game = newest_run(cell.dependency.folder / "learn_views") if cell.learned else None
    run = newest_run(cell.folder / evaluation) if evaluation else pretraining
    return cell_record(cell, pretraining, run, game)


def cell_record(
    cell: PretrainingCell, pretraining: FinishedRun, run: FinishedRun, game: FinishedRun | None
) -> CellRecord:
    """Return the numbers of a cell: I_NCE of its pretraining, scores of its evaluation.

    Raises:
        InputError: if the evaluation recorded no score.
    """
    runs = [*([game] if game else []), pretraining, *([] if run is pretraining else [run])]
    values = metrics(run)
    if score_name(run.kind) not in values:
        raise InputError(f"{run.folder}: expected {score_name(run.kind)} in its result, got none")
    values.pop(I_NCE, None)
    if I_NCE in (of_pretraining := metrics(pretraining)):
        values[I_NCE] = of_pretraining[I_NCE]
    values[MINUTES] = sum(float(each.result["seconds"]) for each in runs) / 60
    if game:
        values[_COLLAPSED] = float(bool(game.result["collapsed"]))
        if I_NCE in (of_game := metrics(game)):
            values[_GAME_I_NCE] = of_game[I_NCE]
    return CellRecord(cell.seed, run, values, cell, pretraining)


def result_table(records: Sequence[CellRecord]) -> ResultTable:
    """Return the table of a grid: one row per (color, views, augmentation)."""
    groups: dict[tuple[str, str, str], list[CellRecord]] = {}
    for record in records:
        groups.setdefault(record.cell.row, []).append(record)
    varied = [i for i in range(3) if len({key[i] for key in groups}) > 1] or [1]
    rows = []
    for key, group in groups.items():
        name = " ".join(key[i] for i in varied if key[i] != CROP) or CROP
        labels = dict(zip(("input", "views", "augmentation"), key, strict=True))
        rows.append(ResultRow(name, "", group, labels=labels))
    run = records[0].run
    chance = run.result.get("chance")
    chance = chance.get("mean_iou") if isinstance(chance, Mapping) else chance
    cap = max((record.cap for record in records if record.cap is not None), default=None)
    return ResultTable(run.kind, {CHANCE: chance, CAP: cap}, rows)


def runs_by_setting(records: Sequence[CellRecord]) -> dict[str, list[tuple[float, float]]]:
    """Return (I_NCE, score in [0, 1]) of every run by row, for `find_sweet_spot`.

    Raises:
        InputError: if a record has no I_NCE.
    """
    for record in records:
        if I_NCE not in record.metrics:
            raise InputError(
                f"sweep: expected an I_NCE of every cell, {record.cell} has none: its encoders "
                "were trained by prediction or not at all; set sweep=false"
            )
    table = result_table(records)
    return {
        row.name: [(r.metrics[I_NCE], r.metrics[table.score] / 100) for r in row.records]
        for row in table.rows
    }


def summary(records: Sequence[CellRecord], against: Sequence[str] | None = None) -> list[TextRow]:
    """Return the rows of the written table: scores, I_NCE, minutes, number of seeds.

    I_NCE is that of the pretrained encoders. The I_NCE in the game is that of smaller encoders on
    smaller crops. If the former is lower, g has fooled the encoders of the game rather than removed
    information. A grid that compares augmentations has a column for them, and none for games.

    Arguments:
        records: of finished cells.
        against: (color, views) or (color, views, augmentation) of the reference row, whose scores
            are subtracted seed by seed.

    Raises:
        InputError: if no record is of the reference row.
    """
    table = result_table(records)
    several = len({row.labels["augmentation"] for row in table.rows}) > 1
    probed = [name for name in table.metrics if name in (KNN, PIXELS) or name.endswith(f", {TOP1}")]
    reference = _reference(table, against) if against else None
    lines = []
    for row in table.rows:
        line = {**row.labels, "input": _input(row)}
        if not several:
            del line["augmentation"]
        line[table.score] = plus_minus(row.values(table.score), 1)
        if against and reference:
            _, views, *augmentation = against
            gains = gains_by_seed(row.by_seed(table.score), reference.by_seed(table.score))
            name = " ".join(["against", views, _input(reference), *augmentation])
            line[name] = "-" if row is reference else plus_minus(gains, 1, "+")
        line |= {name: plus_minus(row.values(name), 1) for name in probed if row.values(name)}
        line["I_NCE held out, nats"] = plus_minus(row.values(I_NCE), 2)
        if not several:
            line[_GAME_I_NCE] = plus_minus(row.values(_GAME_I_NCE), 2)
        line["minutes"] = f"{statistics.mean(row.values(MINUTES)):.1f}"
        line["n"] = str(len(row.records))
        if not several:
            line[_COLLAPSED] = f"{sum(row.values(_COLLAPSED)):.0f}"
        lines.append(line)
    return lines


def origin(records: Sequence[CellRecord], command: str) -> str:
    """Return the origin of a table in words: command, commits, hardware, protocol."""
    caps = sorted({f"{record.cap:.2f}" for record in records if record.cap is not None})
    capped = f"I_NCE cap log K = {', '.join(caps)}. " if caps else ""
    minutes = sum(record.metrics[MINUTES] for record in records)
    runs = describe_runs(command, [r.pretraining.provenance for r in records], minutes)
    by_protocol: dict[str, list[str]] = {}
    for record in records:
        row = " ".join(record.cell.row)
        by_protocol.setdefault(str(record.run.result["protocol"]), []).append(row)
    protocols = [
        f"of {', '.join(dict.fromkeys(rows))}: {protocol}" if len(by_protocol) > 1 else protocol
        for protocol, rows in by_protocol.items()
    ]
    return (
        f"{runs} Mean ± standard deviation over n seeds. {capped}Protocol: {'; '.join(protocols)}."
    )


def _input(row: ResultRow) -> str:
    """Return the colour space of the input of a row."""
    return next(r.input for r in row.records if isinstance(r, CellRecord))


def _reference(table: ResultTable, against: Sequence[str]) -> ResultRow:
    color, views, *augmentation = against
    key = (color, views, (*augmentation, CROP)[0])
    rows = {tuple(row.labels.values()): row for row in table.rows}
    if key not in rows:
        names = sorted(f"[{', '.join(labels)}]" for labels in rows)
        raise InputError(f"against: expected one of {', '.join(names)}, got {[*against]}")
    return rows[key]
