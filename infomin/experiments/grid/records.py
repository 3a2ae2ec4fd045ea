"""The records of a grid of pretrainings, and the table of results made from them."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infomin.core.errors import InputError
from infomin.experiments.grid.cells import CROP, PretrainingCell
from infomin.experiments.metrics import (
    I_NCE,
    KNN,
    MINUTES,
    PIXELS,
    layer_name,
    metrics,
    score_axis,
    score_name,
)
from infomin.experiments.results import CAP, CHANCE, ResultRow, ResultTable, RunRecord
from infomin.experiments.run_index import FinishedRun, newest_run
from infomin.experiments.tables import TextRow, describe_runs, plus_minus

Key = tuple[str, str, str]
"""Color, views and augmentation: the properties that all seeds of a row share."""
_GAME_I_NCE = "I_NCE in the game"


@dataclass(frozen=True, eq=False)
class CellRecord(RunRecord):
    """The numbers of a finished cell; `run` is its evaluation, often the pretraining itself."""

    cell: PretrainingCell
    pretraining: FinishedRun
    game: FinishedRun | None

    @property
    def score(self) -> float:
        """The score that ranks rows, in [0, 1]."""
        return float(self.run.result["mean_iou" if self.run.kind == "segment" else "top1"])

    @property
    def picture(self) -> Path:
        """The picture of the views."""
        return self.pretraining.folder / "pictures" / "views.png"

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
    values |= {name: v for name, v in metrics(pretraining).items() if name == I_NCE}
    values[MINUTES] = sum(float(each.result["seconds"]) for each in runs) / 60
    if game and isinstance(i_nce := game.result.get("i_nce"), Mapping):
        values[_GAME_I_NCE] = float(i_nce["value"])
    return CellRecord(cell.seed, run, values, cell, pretraining, game)


def result_table(records: Sequence[CellRecord]) -> ResultTable:
    """Return the table of a grid: one row per (color, views, augmentation)."""
    run, groups = records[0].run, _grouped(records)
    chance = run.result.get("chance")
    chance = chance.get("mean_iou") if isinstance(chance, Mapping) else chance
    caps = [cap for record in records if (cap := _cap(record)) is not None]
    varied = [i for i in range(3) if len({key[i] for key in groups}) > 1] or [1]
    names = [" ".join(key[i] for i in varied if key[i] != CROP) or CROP for key in groups]
    rows = [ResultRow(name, "", group) for name, group in zip(names, groups.values(), strict=True)]
    return ResultTable(run.kind, {CHANCE: chance, CAP: max(caps) if caps else None}, rows)


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
    names = [row.name for row in result_table(records).rows]
    groups = _grouped(records).values()
    return {
        name: [(record.metrics[I_NCE], record.score) for record in group]
        for name, group in zip(names, groups, strict=True)
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
    table, groups = result_table(records), _grouped(records)
    several = len({augmentation for _, _, augmentation in groups}) > 1
    lines = []
    for row, (key, group) in zip(table.rows, groups.items(), strict=True):
        color, views, augmentation = key
        line = {"input": color, "views": views}
        line |= {"augmentation": augmentation} if several else {}
        line[table.score] = plus_minus(row.values(table.score), 1)
        line |= _gain(groups, key, against) if against else {}
        for name in (KNN, PIXELS, *map(layer_name, group[0].run.result.get("layers", {}))):
            line |= {name: plus_minus(row.values(name), 1)} if row.values(name) else {}
        line["I_NCE held out, nats"] = plus_minus(row.values(I_NCE), 2)
        line |= {} if several else {_GAME_I_NCE: plus_minus(row.values(_GAME_I_NCE), 2)}
        line["minutes"] = f"{statistics.mean(row.values(MINUTES)):.1f}"
        line["n"] = str(len(group))
        collapsed = sum(bool(r.game and r.game.result["collapsed"]) for r in group)
        line |= {} if several else {"collapsed": str(collapsed)}
        lines.append(line)
    return lines


def origin(records: Sequence[CellRecord], command: str) -> str:
    """Return the origin of a table in words: command, commits, hardware, protocol."""
    caps = sorted({f"{cap:.2f}" for record in records if (cap := _cap(record)) is not None})
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


def _cap(record: CellRecord) -> float | None:
    i_nce = record.pretraining.result.get("i_nce")
    return float(i_nce["cap"]) if i_nce else None


def _grouped(records: Sequence[CellRecord]) -> dict[Key, list[CellRecord]]:
    groups: dict[Key, list[CellRecord]] = {}
    for record in records:
        groups.setdefault(record.cell.row, []).append(record)
    return groups


def _gain(groups: Mapping[Key, Sequence[CellRecord]], key: Key, against: Sequence[str]) -> TextRow:
    """Return the column that compares a row with the reference row, seed by seed."""
    color, views, *augmentation = against
    reference = groups.get((color, views, (*augmentation, CROP)[0]))
    if reference is None:
        rows = sorted(f"[{', '.join(row)}]" for row in groups)
        raise InputError(f"against: expected one of {', '.join(rows)}, got {[*against]}")
    name = " ".join(["against", views, color, *augmentation])
    if groups[key] is reference:
        return {name: "-"}
    before = {record.seed: record.score for record in reference}
    gains = [100 * (r.score - before[r.seed]) for r in groups[key] if r.seed in before]
    return {name: plus_minus(gains, 1, "+")}
