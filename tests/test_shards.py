"""Archives of WebDataset: their samples, sets and labels, and what is refused or left out."""

import io
import json
import tarfile
from importlib import import_module

import pytest
from containers import N, folder, label, pixels, png, read, shards
from refusal import refused

from infomin import data
from infomin.data.tar_files import members, samples

reader = import_module("infomin.data.image_shards")
pytestmark = pytest.mark.usefixtures("single")


def archive(path, files, kind="w"):
    """Write an archive of `{name: content}`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, kind) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def image(i):
    return png(pixels("train", i))


def many(n=10, suffix="cls"):
    """Files of samples with a label each."""
    files = {}
    for i in range(n):
        files |= {f"{i:03}.png": image(i), f"{i:03}.{suffix}": label(i).encode()}
    return files


def open_shards(root, **options):
    return data.image_shards(str(root), size=8, cache=str(root.parent / "cache"), **options)


def test_members_are_read_at_their_places(tmp_path):
    files = {"a/1.tar.png": b"one", "./b.txt": b"", "c" * 150 + ".bin": b"three", "__meta__": b"x"}
    archive(tmp_path / "x.tar", files)
    read = {member.name: member.read() for member in members(tmp_path / "x.tar")}
    assert read == {"a/1.tar.png": b"one", "b.txt": b"", "c" * 150 + ".bin": b"three"}
    name, parts = next(samples(tmp_path / "x.tar"))
    assert (name, [*parts]) == ("a/1", ["tar.png"])


def test_labels_are_numbers_words_or_fields_of_json(tmp_path):
    archive(tmp_path / "set" / "a.tar", many())
    assert open_shards(tmp_path / "set").classes == ("a", "b")
    assert open_shards(tmp_path / "set", label="none").classes == ()
    fields = {f"{i}.json": json.dumps({"meta": {"age": i % 3 * 10}}).encode() for i in range(10)}
    archive(tmp_path / "fields" / "a.tar", dict(sorted({**fields, **many(0)}.items())))
    files = {}
    for i in range(10):
        files |= {f"{i}.png": image(i), f"{i}.json": fields[f"{i}.json"]}
    archive(tmp_path / "fields" / "a.tar", files)
    assert open_shards(tmp_path / "fields", label="json.meta.age").classes == ("0", "10", "20")
    with refused(r"a.tar: 0.json: label: .*'sex'.*; data.label=none leaves labels out"):
        open_shards(tmp_path / "fields", label="json.sex")


def test_names_of_archives_and_folders_tell_the_sets(tmp_path):
    root = tmp_path / "set"
    for name, n in (("imagenet-train-0000", 6), ("imagenet-val-0000", 4), ("imagenet-test-0", 2)):
        archive(root / f"{name}.tar", many(n))
    dataset = open_shards(root)
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    line, left_out = dataset.notes
    assert "6 training images (1 archive, imagenet-train-0000.tar first), 4 test images" in line
    assert "1 archive of another set (imagenet-test-0.tar)" in left_out
    other = tmp_path / "other"
    for name, n in (("Training/0", 6), ("Validation/0", 4)):
        archive(other / f"{name}.tar", many(n))
    dataset = open_shards(other)
    assert (len(dataset.train), len(dataset.test)) == (6, 4)
    archive(tmp_path / "one" / "part-7.tar", many(10))
    dataset = open_shards(tmp_path / "one")
    assert (len(dataset.train), len(dataset.test)) == (8, 2)
    assert "a random share of" in dataset.notes[0]


def test_the_index_is_made_once(tmp_path, monkeypatch):
    options = {"keep": "files", "workers": 0}
    first = read("shards", tmp_path, **options)
    with monkeypatch.context() as patch:
        patch.setattr(reader, "samples", None)
        again = read("shards", tmp_path, **options)
    assert [*map(str, again.train.source.items)] == [*map(str, first.train.source.items)]
    assert len(again.train) == N["train"] and again.notes == first.notes
    path = next((tmp_path / "shards").glob("train*.tar"))
    path.write_bytes(path.read_bytes() + bytes(10240))  # another archive has another index
    with monkeypatch.context() as patch, pytest.raises(TypeError):
        patch.setattr(reader, "samples", None)
        read("shards", tmp_path, **options)


def test_what_is_not_used_is_named(tmp_path):
    root = tmp_path / "set"
    files = many()
    files |= {"x.cls": b"a", "y.json": b"{}"}
    archive(root / "a.tar", files)
    archive(root / "b.tar.gz", many(2), "w:gz")
    (root / "notes.txt").write_text("")
    (root / ".a.tar").write_text("")
    (root / "c.tar").symlink_to(root / "a.tar")
    line = open_shards(root).notes[1]
    for words in (
        "1 compressed archive (b.tar.gz)",
        "1 file of other kinds (notes.txt)",
        "1 hidden (.a.tar)",
        "1 second link to an archive (c.tar)",
        "2 samples without image (a.tar: x, a.tar: y)",
    ):
        assert words in line


@pytest.mark.parametrize("cut", [-700, 300])
def test_a_damaged_archive_is_refused_or_left_out(tmp_path, cut):
    root = tmp_path / "set"
    archive(root / "a.tar", many())
    archive(root / "b.tar", many())
    whole = (root / "b.tar").read_bytes()
    end = [*members(root / "b.tar")][-1].start + 512  # before the empty blocks at the end
    (root / "b.tar").write_bytes(whole[: end + cut])
    with refused(r"b.tar: is no tar archive that can be read .*; data.skip_bad=true leaves it out"):
        open_shards(root)
    dataset = open_shards(root, skip_bad=True)
    assert len(dataset.train) + len(dataset.test) == 10
    assert "1 damaged archive (b.tar)" in dataset.notes[1]


def test_several_images_of_a_sample_need_a_choice(tmp_path):
    files = {}
    for i in range(6):
        files |= {f"{i}.left.png": image(i), f"{i}.right.png": image(i + 50)}
    archive(tmp_path / "set" / "a.tar", files)
    with refused("a.tar: sample 0 has images left.png, right.png, expected one; data.image=left"):
        open_shards(tmp_path / "set")
    assert len(open_shards(tmp_path / "set", image="right.png").train) == 5


@pytest.mark.parametrize("keep", ["mapped", "files"])
def test_a_bad_image_inside_is_named(tmp_path, keep):
    files = many() | {"003.png": b"no picture"}
    archive(tmp_path / "set" / "train.tar", files)
    archive(tmp_path / "set" / "val.tar", many(4))
    options = {"keep": keep, "workers": 0}
    with refused("train.tar: 003.png: cannot be read .its format is not known."):
        _ = open_shards(tmp_path / "set", **options).train.images
    if keep == "mapped":
        dataset = open_shards(tmp_path / "set", skip_bad=True, **options)
        assert dataset.skipped == 1 and len(dataset.train) == 9
        assert "1 unreadable file (train.tar: 003.png)" in dataset.notes[1]
    else:
        with pytest.warns(match="003.png: cannot be read .*; 005.png takes its place"):
            _ = open_shards(tmp_path / "set", skip_bad=True, **options).train.images


def test_a_folder_without_archives_is_refused(tmp_path):
    folder(tmp_path / "set")
    with refused("data.root: expected tar archives in .*set, got none; name their folder; left"):
        open_shards(tmp_path / "set")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.tar").write_text("no archive")
    with refused("a.tar: is no tar archive that can be read"):
        open_shards(tmp_path / "text")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # its open files
def test_webdataset_reads_the_same_samples(tmp_path):
    import webdataset

    shards(tmp_path / "set")
    urls = sorted(map(str, (tmp_path / "set").glob("train*.tar")))
    theirs = [s["cls"].decode() for s in webdataset.WebDataset(urls, shardshuffle=False)]
    dataset = open_shards(tmp_path / "set")
    assert [dataset.classes[i] for i in dataset.train.labels.tolist()] == theirs
