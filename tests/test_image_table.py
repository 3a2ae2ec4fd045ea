"""Tables of images: their columns, sets and labels, and rows that are refused or left out."""

import pytest
from containers import csv, label, pixels, png
from refusal import refused

from infomin import data

pytestmark = pytest.mark.usefixtures("single")


@pytest.fixture
def write(tmp_path):
    """Write ten images and a table of some text; return a function that reads it."""
    (tmp_path / "set").mkdir()
    for i in range(10):
        (tmp_path / "set" / f"{i}.png").write_bytes(png(pixels("train", i)))

    def read(text, name="list.csv", encoding="utf-8", **options):
        path = tmp_path / "set" / name
        path.write_text(text, encoding=encoding)
        return data.image_table(str(path), size=8, cache=str(tmp_path / "cache"), **options)

    return read


def rows(mark=",", n=10):
    return "".join(f"{i}.png{mark}{label(i)}\n" for i in range(n))


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_usual_names_of_columns_are_known(write, mark):
    dataset = write(f"File{mark}Class\n{rows(mark)}", encoding="utf-8-sig")
    assert dataset.classes == ("a", "b") and len(dataset.train) == 8 and dataset.name == "list"
    assert "images from column File, labels from column Class" in dataset.notes[0]
    assert write(f"File{mark}Class\n{rows(mark)}", label="none").classes == ()


def test_columns_can_be_chosen(write):
    text = "id,where,label,sort\n" + "".join(f"{i},{i}.png,x,{i % 3}\n" for i in range(10))
    dataset = write(text, image="where", label="sort")
    assert dataset.classes == ("0", "1", "2")
    with refused(
        "data.label: expected a column of .*list.csv .id, where, label, sort., got 'kind'"
    ):
        write(text, image="where", label="kind")
    with refused("data.image: expected the column of paths, got none of the usual names .* id, wh"):
        write(text)


def test_a_column_tells_the_sets(write):
    sets = ["train"] * 6 + ["val"] * 3 + ["test"]
    text = "path,label,split\n" + "".join(
        f"{i}.png,{label(i)},{split}\n" for i, split in enumerate(sets)
    )
    dataset = write(text)
    assert (len(dataset.train), len(dataset.test)) == (6, 3)
    assert "1 row of another set (" in dataset.notes[1]
    assert len(write(text, split="none").train) == 8
    with refused("list.csv: row 2: set: expected a word such as train or val, got 'seven'"):
        write("path,split\n0.png,train\n1.png,seven\n")


def test_every_image_is_used_once(write):
    text = "path,label\n" + rows() + "./3.png,b\n"
    dataset = write(text)
    assert len(dataset.train) + len(dataset.test) == 10
    assert "1 second row of an image (" in dataset.notes[1] and "row 11" in dataset.notes[1]
    with refused("row 11: .*3.png has the label 'a', and 'b' in .*row 4; expected one label"):
        write("path,label\n" + rows() + "3.png,a\n")


def test_a_missing_file_is_refused_or_left_out(write):
    text = "path,label\n" + rows() + "11.png,a\n"
    with refused("list.csv: row 11: .*11.png: cannot be read .No such file or directory.; data.sk"):
        write(text)
    dataset = write(text, skip_bad=True)
    assert len(dataset.train) + len(dataset.test) == 10
    assert "1 row without a file (" in dataset.notes[1]
    with refused("list.csv: row 2: .*set: cannot be read .it is no file."):
        write("path,label\n0.png,a\n,a\n")


def test_labels_may_be_missing(write):
    text = "path,label\n" + "".join(f"{i}.png,{['3', '', '-1', '10'][i % 4]}\n" for i in range(10))
    dataset = write(text)
    assert dataset.classes == ("3", "10"), "numbers, in their order"
    labels = [*dataset.train.labels.tolist(), *dataset.test.labels.tolist()]
    assert labels.count(-1) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "list.csv: expected a row of column names, got an empty file"),
        ("path,label\n0.png\n", "list.csv: row 1 has 1 values, expected 2"),
        ("path,label\n", "data.root: .*list.csv lists no images that can be used"),
        ('path\n"0.png\n', "list.csv: is no table in UTF-8 that can be read"),
    ],
)
def test_a_wrong_table_is_refused(write, text, message):
    with refused(message):
        write(text)


def test_a_table_has_to_be_named(tmp_path):
    with refused("data.root: expected a CSV or Parquet file, got none"):
        data.image_table()
    with refused(r"data.root: expected \*.csv, \*.tsv or \*.parquet, got .*list.txt"):
        data.image_table(str(tmp_path / "list.txt"))
    with refused("data.root: expected one table in .*, or train.csv and val.csv, got none"):
        data.image_table(str(tmp_path))
    with refused("x.csv: is no table in UTF-8 that can be read"):
        data.image_table(str(tmp_path / "x.csv"))
    (tmp_path / "x.parquet").write_text("no table")
    with refused("x.parquet: is no Parquet file that can be read"):
        data.image_table(str(tmp_path / "x.parquet"))


def test_images_inside_a_parquet_file_are_no_paths(tmp_path):
    import pandas

    table = pandas.DataFrame({"image": [{"bytes": b"", "path": "a.png"}], "label": [1]})
    table.to_parquet(tmp_path / "x.parquet")
    with refused("data.image: expected the column of paths, got none .* its columns are label"):
        data.image_table(str(tmp_path / "x.parquet"))


def test_paths_start_from_the_folder_that_is_named(tmp_path):
    options = csv(tmp_path / "set")
    moved = tmp_path / "list.csv"
    moved.write_text((tmp_path / "set" / "list.csv").read_text())
    options |= {"size": 8, "cache": str(tmp_path / "cache")}
    dataset = data.image_table(**options | {"root": str(moved), "folder": str(tmp_path / "set")})
    assert len(dataset.train) == 12
