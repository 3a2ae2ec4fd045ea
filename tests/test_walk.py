"""Every file and folder below a root is used once, or counted and named in one line."""

import os

import pytest
from PIL import Image, features
from refusal import refused

from infomin import data
from infomin.core.errors import InputError
from infomin.data import walk
from infomin.data.walk import list_images

pytestmark = pytest.mark.usefixtures("single")


def picture(path, number=0, side=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (number, 0, 0)).save(path)
    return path


@pytest.fixture
def root(tmp_path):
    """Two classes of six images, of different colours."""
    for i in range(12):
        picture(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.png", i)
    return tmp_path / "set"


def image_folder(root, **options):
    return data.image_folder(str(root), 8, cache=str(root.parent / "cache"), **options)


def paired(root, **options):
    views = {"one": str(root), "two": str(root)}
    return data.paired_folders(views, 8, cache=str(root.parent / "cache"), **options)


def windows(root, **options):
    return data.windows(str(root), 8, 1, cache=str(root.parent / "cache"), **options)


def numbers(dataset):
    """Red of the images, which is the number of their file."""
    return sorted(
        int(image[0, 0, 0]) for part in (dataset.train, dataset.test) for image in part.images
    )


everywhere = pytest.mark.parametrize("read", [image_folder, paired, windows])

HIDDEN = [
    "cat/.ipynb_checkpoints/0-checkpoint.png",
    "cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
    ".Trash-1000/files/x.png",
    ".Trash/x.png",
    "__MACOSX/cat/._0.png",
    "__macosx/x.png",
    "$RECYCLE.BIN/x.png",
    "System Volume Information/x.png",
    "#recycle/x.png",
    "lost+found/x.png",
    "dog/._1.png",
    ".thumbnails/x.png",
]


@pytest.mark.parametrize("inside", HIDDEN)
def test_hidden_and_system_folders_are_left_out_and_named(root, inside):
    picture(root / inside, 99)
    listing = list_images(root)
    assert sorted(int(path.stem) for path in listing.all_paths) == [*range(12)]
    top, *below = inside.split("/")
    name = f"{top}/{below[0]}" if top in ("cat", "dog") else top
    assert str(listing.left_out) == f"1 hidden ({name})"


@everywhere
def test_hidden_folders_are_no_classes_of_any_source(root, read):
    for inside in HIDDEN:
        picture(root / inside, 99)
    dataset = read(root)
    assert numbers(dataset) == [*range(12)]
    assert dataset.classes == (() if read is windows else ("cat", "dog"))
    assert dataset.notes[1].startswith(f"left out of {root}: 12 hidden (")


def test_one_line_names_all_that_is_left_out(root):
    (root / "bird" / "small").mkdir(parents=True)
    (root / "notes.txt").write_text("text")
    (root / "cat" / "Thumbs.db").write_bytes(b"0")
    (root / "cat" / ".DS_Store").write_bytes(b"0")
    (root / "cat" / "gone.png").symlink_to("nowhere.png")
    (root / "cat" / "self.png").symlink_to("self.png")
    (root / "cat" / "again.png").symlink_to("0.png")
    (root / "cat" / "hard.png").hardlink_to(root / "dog" / "1.png")
    (root / "cat" / "all").symlink_to("..")
    os.mkfifo(root / "dog" / "pipe.png")
    picture(root / "dog" / "bad.jpg").write_bytes(b"text")
    for _ in range(2):  # decoded, and from the cache
        dataset = image_folder(root, skip_bad=True)
        assert numbers(dataset) == [*range(12)]
        assert dataset.notes == (
            "data set: 10 training images, 2 test images (a random share of "
            f"{root}); 2 classes: cat, dog",
            f"left out of {root}: 2 hidden (cat/.DS_Store, cat/Thumbs.db); "
            "2 second links to an image (dog/1.png, cat/again.png); "
            "2 files of other kinds (dog/pipe.png, notes.txt); "
            "1 link to a folder above or read already (cat/all); "
            "2 broken links (cat/gone.png, cat/self.png); 1 folder without images (bird); "
            "1 unreadable file (dog/bad.jpg)",
        )


def test_an_error_names_the_files_that_are_no_images(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("text")
    left_out = "1 file of other kinds (a/b.txt); 1 folder without images (a)"
    with pytest.raises(InputError) as error:
        list_images(tmp_path)
    assert str(error.value).endswith(f"other formats below it; left out: {left_out}")


def test_nothing_is_said_of_nothing(root):
    assert len(image_folder(root).notes) == 1


# Links


LINKS = pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/all", ".."),
        ("cat/self", "."),
        ("again", "cat"),
        ("cat/dogs", "../dog"),
        ("up", "../.."),
        ("cat/copy.png", "0.png"),
        ("a.png", "dog/1.png"),
    ],
)


@LINKS
def test_links_never_make_an_image_twice(root, link, target):
    (root / link).symlink_to(target)
    listing = list_images(root)
    assert sorted(int(path.stem) for path in listing.all_paths) == [*range(12)]
    assert str(listing.left_out).startswith("1 ") and f"({link})" in str(listing.left_out)


@everywhere
def test_links_never_make_an_image_twice_in_any_source(root, read):
    (root / "cat" / "all").symlink_to("..")
    dataset = read(root)
    assert numbers(dataset) == [*range(12)]
    left_out = "1 link to a folder above or read already (cat/all)"
    assert dataset.notes[1] == f"left out of {root}: {left_out}"


def test_no_file_is_in_both_sets_and_its_real_place_comes_first(tmp_path):
    for i in range(8):
        picture(tmp_path / "set" / ("train", "val")[i % 2] / "ab"[i // 4] / f"{i}.png", i)
    (tmp_path / "set" / "train" / "a" / "more").symlink_to("../../val/a")
    (tmp_path / "set" / "val" / "a" / "0.png").symlink_to("../../train/a/0.png")
    (tmp_path / "set" / "val" / "b" / "copy.png").hardlink_to(tmp_path / "set/train/b/4.png")
    dataset = image_folder(tmp_path / "set")
    reds = [part.images[:, 0, 0, 0].tolist() for part in (dataset.train, dataset.test)]
    assert reds == [[0, 2, 4, 6], [1, 3, 5, 7]]
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "train").symlink_to(tmp_path / "set" / "train")
    (tmp_path / "linked" / "val").symlink_to(tmp_path / "set" / "train")
    with refused(r"no images in .*linked/val; .*left out: 1 link to a folder above .* \(val\)"):
        image_folder(tmp_path / "linked")


def test_links_to_places_elsewhere_are_followed_once(tmp_path, root):
    (tmp_path / "views").mkdir()
    for name in ("a", "b"):
        (tmp_path / "views" / name).symlink_to(root / "cat")
    (tmp_path / "views" / "dog").symlink_to(root / "dog")
    dataset = image_folder(tmp_path / "views")
    assert numbers(dataset) == [*range(12)] and dataset.classes == ("a", "dog")
    assert dataset.notes[1].endswith("1 link to a folder above or read already (b)")


# What cannot be read


@everywhere
def test_a_folder_that_cannot_be_read_is_named(root, read, monkeypatch):
    picture(root / "bird" / "0.png")
    entries = walk._Walk._entries

    def denied(self, folder):
        if folder.name == "bird":
            self._refuse(folder, PermissionError(13, "Permission denied"))
            return []
        return entries(self, folder)

    monkeypatch.setattr(walk._Walk, "_entries", denied)
    with refused(rf"{root}/bird: cannot be read \(Permission denied\); make it readable"):
        read(root)
    if read is image_folder:
        dataset = read(root, skip_bad=True)
        assert dataset.classes == ("cat", "dog")
        assert dataset.notes[1] == f"left out of {root}: 1 unreadable (bird)"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_without_permission_is_named(root):
    (root / "cat").chmod(0)
    with refused(
        "cat: cannot be read .Permission denied.; make it readable, or set data.skip_bad=true"
    ):
        image_folder(root)


# Suffixes

SUFFIXES = (
    "gif jfif jpe jpeg JPG avif webp bmp dib ppm pgm tga tiff jp2 ico pcx sgi qoi apng".split()
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_whatever_pillow_decodes_is_read(root, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = picture(root / "cat" / f"new.{suffix}", side=32)
    assert path in list_images(root).all_paths
    assert len(list_images(root).all_paths) == 13
    options = {"convert": True} if suffix in ("gif", "pgm") else {}
    dataset = image_folder(root, **options)
    assert len(dataset.train) + len(dataset.test) == 13


@pytest.mark.parametrize("suffix", "txt csv h5 hdf mpg mpeg pdf eps wmf grib json zip mp4".split())
def test_files_of_other_kinds_are_named(root, suffix):
    (root / "cat" / f"new.{suffix}").write_bytes(b"content")
    listing = list_images(root)
    assert len(listing.all_paths) == 12
    assert str(listing.left_out) == f"1 file of other kinds (cat/new.{suffix})"
