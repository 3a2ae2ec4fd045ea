"""A table of images: a CSV or Parquet file that lists a path, a label and a set in every row."""

import csv
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from infomin.core.errors import InputError
from infomin.core.files import user_path
from infomin.core.names import printable
from infomin.data.decode import Decoder
from infomin.data.images import DataSet
from infomin.data.items import Items, check_keep, describe, read_items
from infomin.data.labels import Label, label_of
from infomin.data.names import (
    TEST,
    TRAIN,
    Split,
    counted,
    first_of,
    listed,
    normal_form,
    split_of,
    train_and_test,
)
from infomin.data.reading import Progress, source
from infomin.data.walk import describe_sets

_SUFFIXES = (".csv", ".tsv", ".parquet")
_USUAL = {
    "image": ("path", "image", "file", "filename", "file_name", "filepath", "image_path", "img"),
    "label": ("label", "labels", "class", "category", "target"),
    "split": ("split",),
}
"""Names of columns, in the order in which they are looked for."""
Columns = Mapping[str, Sequence[Any]]


@source
def image_table(
    root: str | None = None,
    folder: str | None = None,
    image: str | None = None,
    label: str | None = None,
    split: str | None = None,
    size: int | None = 32,
    convert: bool = False,
    skip_bad: bool = False,
    test_share: float = 0.2,
    seed: int = 0,
    cache: str | None = None,
    value_range: Sequence[float] | None = None,
    channel_names: Sequence[str] | None = None,
    layout: str | None = None,
    fill: float | None = None,
    keep: str = "auto",
    workers: int | None = None,
    progress: Progress = None,
) -> DataSet:
    """Read the images that a table lists, one in each row. An image in two rows is used once.

    Arguments:
        root: a CSV file, with commas, semicolons or tabs; a Parquet file; or a folder with two such
            tables, as `train.csv` and `val.csv`.
        folder: that paths start from; None is that of the table.
        image, label, split: names of the columns of paths, labels and sets; None takes the usual
            names, such as `path`, `label` and `split`, where they exist. `none` leaves labels or
            sets out. An empty label and -1 are no label. A set is a word such as `train` or `val`.
            Without sets, a random share is held out.
        size, convert, skip_bad, test_share, seed, cache, value_range, channel_names, layout, fill,
            keep, workers, progress: see `image_folder`.

    Raises:
        InputError: for a table, or an image, that cannot be used, by row.
    """
    check_keep(keep, workers)
    decoder = Decoder(size, convert, value_range, layout, fill=fill)
    tables = _tables(root)
    rows = _Rows(tables[0].parent if folder is None else user_path(folder), skip_bad)
    remarks = []
    for table in tables:
        columns, used = _columns(table, {"image": image, "label": label, "split": split})
        rows.add(table, columns, split_of(table.stem) if len(tables) == 2 else None)
        remarks.append(used)
    chosen, others = train_and_test(rows.sets)
    chosen = [sorted(part, key=lambda row: row.number) for part in chosen]
    if not chosen[0]:
        raise InputError(f"data.root: {tables[0]} lists no images that can be used")
    name = tables[0].stem if len(tables) == 1 else tables[0].resolve().parent.name
    data = read_items(
        name,
        rows.folder,
        [Items([row.path for row in s], [row.label for row in s], str(tables[0])) for s in chosen],
        decoder,
        key={
            "files": [[row.stamp for row in part] for part in chosen],
            "labels": [[row.label for row in part] for part in chosen],
        },
        keep=keep,
        workers=workers,
        cache=cache,
        skip_bad=skip_bad,
        test_share=test_share,
        seed=seed,
        channel_names=channel_names,
        progress=progress,
    )
    if others:
        rows.left_out.setdefault("row{s} of another set", []).extend(row.place for row in others)
    left_out = [counted(reason, places) for reason, places in rows.left_out.items()]
    left_out += filter(None, data.notes)
    places = [TRAIN, TEST] if len(chosen) == 2 else []
    sets = describe_sets(tables[0], places, len(data.train), len(data.test))
    notes = [describe(data, sets, [*dict.fromkeys(remarks)])]
    notes += [printable(f"left out: {'; '.join(left_out)}")] if left_out else []
    return replace(data, notes=tuple(notes))


class _Row(NamedTuple):
    """A row of a table.

    Attributes:
        number: place of the row among all.
        place: file and row, for messages.
        path: of the image.
        label: of the image.
        stamp: name, size and time of the image, as `cache.stamps`.
    """

    number: int
    place: str
    path: Path
    label: Label
    stamp: list[str | int]


class _Rows:
    """Rows by set, each image once.

    Arguments:
        folder: that paths start from.
        skip_bad: leave rows without an image out.
    """

    def __init__(self, folder: Path, skip_bad: bool) -> None:
        self.folder, self.skip_bad = folder, skip_bad
        self.sets: dict[Split | None, list[_Row]] = {}
        self.left_out: dict[str, list[str]] = {}
        self.known: dict[tuple[int, int], _Row] = {}

    def add(self, table: Path, columns: Columns, split: Split | None) -> None:
        """Add the rows of a table.

        Arguments:
            table: names it in messages.
            columns: their values by `image`, `label` and `split`.
            split: of all rows, where the name of the table tells it.
        """
        for i, name in enumerate(columns["image"]):
            place = f"{table}: row {i + 1}"
            try:
                label = label_of(columns["label"][i]) if "label" in columns else None
            except ValueError as error:
                raise InputError(
                    f"{place}: label: expected a word or a whole number, {error}; data.label=NAME "
                    "chooses another column"
                ) from None
            if "split" in columns:
                word = str(columns["split"][i])
                split = split_of(word)
                if split is None:
                    raise InputError(
                        f"{place}: set: expected a word such as train or val, got {word!r}; "
                        "data.split=none leaves sets out"
                    )
            row = self._row(place, str(name or "").strip(), label)
            if row is not None:
                self.sets.setdefault(split, []).append(row)

    def _row(self, place: str, name: str, label: Label) -> _Row | None:
        """Return a row; None where its image is missing or in an earlier row."""
        path = self.folder / name
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no file")
        except (OSError, ValueError) as error:
            if not self.skip_bad:
                reason = getattr(error, "strerror", None) or error
                raise InputError(
                    f"{place}: {path}: cannot be read ({reason}); data.skip_bad=true leaves it "
                    "out, data.folder=FOLDER names the folder that paths start from"
                ) from None
            self.left_out.setdefault("row{s} without a file", []).append(place)
            return None
        stamp: list[str | int] = [str(path), status.st_size, status.st_mtime_ns]
        row = _Row(len(self.known), place, path, label, stamp)
        first = self.known.setdefault((status.st_dev, status.st_ino), row)
        if first is row:
            return row
        if first.label != label:
            raise InputError(
                f"{place}: {path} has the label {label!r}, and {first.label!r} in {first.place}; "
                "expected one label of an image"
            )
        self.left_out.setdefault("second row{s} of an image", []).append(place)
        return None


def _tables(root: str | None) -> list[Path]:
    """Return one table, or that of training and that of test images."""
    if root is None:
        raise InputError("data.root: expected a CSV or Parquet file, got none")
    path = user_path(root)
    if path.is_dir():
        tables = [p for p in sorted(path.iterdir()) if p.suffix.lower() in _SUFFIXES]
        by_stem = {table.stem: table for table in tables}
        words = [first_of(by_stem, split) for split in (TRAIN, TEST)]
        if len(tables) == 1:
            return tables
        if None not in words:
            return [by_stem[word] for word in words if word]
        raise InputError(
            f"data.root: expected one table in {path}, or train.csv and val.csv, got "
            f"{listed([p.name for p in tables]) or 'none'}; name the file"
        )
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"data.root: expected *.csv, *.tsv or *.parquet, got {path}")
    return [path]


def _columns(table: Path, wanted: Mapping[str, str | None]) -> tuple[Columns, str]:
    """Return the columns `image`, `label` and `split` of a table, and words that name them."""
    content = _read_parquet(table) if table.suffix.lower() == ".parquet" else _read_csv(table)
    known = {normal_form(name): name for name in reversed([*content])}
    names: dict[str, str] = {}
    for part, name in wanted.items():
        usual = [known[word] for word in _USUAL[part] if word in known]
        if name is not None and name != "none" and name not in content:
            raise InputError(
                f"data.{part}: expected a column of {table} ({listed([*content], 8)}), got {name!r}"
            )
        if name != "none" and (name or usual):
            names[part] = name or usual[0]
    if "image" not in names:
        raise InputError(
            f"data.image: expected the column of paths, got none of the usual names in {table}; "
            f"its columns are {listed([*content], 8)}"
        )
    text = ", ".join(f"{part}s from column {name}" for part, name in names.items())
    return {part: content[name] for part, name in names.items()}, text


def _read_csv(table: Path) -> Columns:
    try:
        with table.open(newline="", encoding="utf-8-sig") as stream:
            first = stream.readline()
            stream.seek(0)
            mark = max("\t;,", key=first.count)
            rows = [row for row in csv.reader(stream, delimiter=mark, strict=True) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: is no table in UTF-8 that can be read ({error})") from None
    if not rows:
        raise InputError(f"{table}: expected a row of column names, got an empty file")
    names = [name.strip() for name in rows[0]]
    for i, row in enumerate(rows[1:], 1):
        if len(row) != len(names):
            raise InputError(f"{table}: row {i} has {len(row)} values, expected {len(names)}")
    columns = zip(*rows[1:], strict=True) if rows[1:] else [()] * len(names)
    return dict(zip(names, columns, strict=True))


def _read_parquet(table: Path) -> Columns:
    try:
        from pyarrow import ArrowException, parquet, types
    except ImportError:
        raise InputError(f"{table}: needs pyarrow; pip install 'infomin[data]'") from None
    try:
        schema = parquet.read_schema(table)
        names = [
            field.name
            for field in schema  # images themselves may be in a table, too
            if not (types.is_nested(field.type) or types.is_binary(field.type))
        ]
        return parquet.read_table(table, columns=names).to_pydict()
    except (ArrowException, OSError) as error:
        raise InputError(f"{table}: is no Parquet file that can be read ({error})") from None
