"""The walk over folders of images: every file and folder is used, or counted and named.

Hidden and system files, files of other kinds, folders without images, broken links and second links
to an image are left out. `LeftOut` names them in one line. No image is used twice, whatever links
lead to it: its real place comes first, then links in the order of their names.
"""

import errno
import gc
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from infomin.core.errors import InputError
from infomin.core.names import printable
from infomin.data.names import TEST, TRAIN, counted, first_of, image_suffixes, is_hidden

_HIDDEN, _UNREADABLE = "hidden", "unreadable"


class LeftOut:
    """Files and folders that are not used, by reason.

    Arguments:
        root: folder that their names are relative to.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.paths = root, dict[str, list[Path]]()

    def add(self, reason: str, *paths: Path) -> None:
        """Count paths; `{s}` in the reason becomes the s of a plural."""
        if paths:
            self.paths.setdefault(reason, []).extend(paths)

    def __str__(self) -> str:
        """Return number, reason and first names of all, or nothing."""
        return "; ".join(
            counted(reason, [str(path.relative_to(self.root)) for path in paths])
            for reason, paths in self.paths.items()
        )

    def notes(self, *more: str) -> tuple[str, ...]:
        """Return a line for people, or nothing; `more` goes on with it."""
        text = "; ".join(part for part in (str(self), *more) if part)
        return (printable(f"left out of {self.root}: {text}"),) if text else ()


class Paths(Sequence[Path]):
    """Paths of files, held as text: millions of them take a quarter of the memory and time.

    Arguments:
        names: of the files.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "Paths": ...
    def __getitem__(self, index: int | slice) -> "Path | Paths":
        if isinstance(index, slice):
            return Paths(self.names[index])
        return Path(self.names[index])

    def folders_below(self, root: Path) -> list[tuple[str, ...]]:
        """Return the names of the folders between a root folder and every file."""
        folders = [name.rpartition("/")[0] for name in self.names]
        known = {folder: Path(folder).parts[len(root.parts) :] for folder in {*folders}}
        return [known[folder] for folder in folders]


@dataclass(frozen=True)
class Listing:
    """The images below a folder.

    Attributes:
        root: the folder.
        folders: those of training and of test images, or one that holds both.
        paths: the images in each of them, sorted.
        stamps: name, size and time of every image, as `cache.stamps`, if they were asked for.
        left_out: other files and folders.
    """

    root: Path
    folders: tuple[Path, ...]
    paths: tuple[Paths, ...]
    left_out: LeftOut
    stamps: list[list[str | int]] = field(default_factory=list)

    @property
    def all_paths(self) -> Paths:
        """All images."""
        return Paths([name for part in self.paths for name in part.names])

    def describe(self, train: int, test: int, unit: str = "images") -> str:
        """Return the sentence that names the two sets, given their sizes."""
        names = [f"{folder.relative_to(self.root)}/" for folder in self.folders]
        return describe_sets(self.root, names, train, test, unit)


def describe_sets(
    root: Path, names: Sequence[str], train: int, test: int, unit: str = "images"
) -> str:
    """Return the sentence about two sets; one name, or none, means that a share is held out."""
    if len(names) < 2:
        return f"{train} training {unit}, {test} test {unit} (a random share of {root})"
    return f"{train} training {unit} ({names[0]}), {test} test {unit} ({names[1]})"


def list_images(root: Path, skip_bad: bool | None = None, stamped: bool = False) -> Listing:
    """Return the images of both sets; refuse a folder without any.

    Arguments:
        root: the folder.
        skip_bad: leave unreadable folders out; None is False, where there is no such option.
        stamped: return size and time of every image, too, which takes a call for each.

    Raises:
        InputError: for a folder that cannot be read or holds no images.
    """
    walk = _Walk(root, skip_bad, stamped)
    folders = walk.split()
    with _without_collection():
        sets = walk.images(folders)
    paths = tuple(Paths([name for name, _ in images]) for images in sets)
    for folder, images in zip(folders, paths, strict=True):
        if not images:
            left_out = str(walk.left_out)
            raise InputError(
                f"data.root: no images in {folder}; expected <class>/*.jpg or images of other "
                "formats below it" + (f"; left out: {left_out}" if left_out else "")
            )
    stamps: list[list[str | int]] = [
        [name, status.st_size, status.st_mtime_ns]
        for images in sets
        for name, status in images
        if status is not None
    ]
    return Listing(root, tuple(folders), paths, walk.left_out, stamps)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Stop the garbage collector, which looks through millions of paths again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


Images = list[tuple[str, os.stat_result | None]]


def _key(device: int, number: int) -> int:
    return device << 64 | number


class _Walk:
    def __init__(self, root: Path, skip_bad: bool | None, stamped: bool) -> None:
        self.root, self.skip_bad, self.left_out = root, skip_bad, LeftOut(root)
        self.stamped = stamped
        self.suffixes = image_suffixes()
        self.seen: set[int] = set()  # devices and numbers of files and folders, in one integer
        self.links: list[tuple[Path, Images]] = []  # to follow, and the images of their set
        self.visited: list[Path] = []

    def split(self) -> list[Path]:
        """Return the folders of training and of test images, or the root without both.

        A folder that holds nothing but one folder is passed through on the way to them.
        """
        folder, beside, seen = self.root, list[Path](), set[Path]()
        while folder.resolve() not in seen:
            seen.add(folder.resolve())
            entries = [Path(entry.path) for entry in self._entries(folder)]
            shown = [path for path in entries if not is_hidden(path.name)]
            folders = {path.name: path for path in shown if os.path.isdir(path)}  # noqa: PTH112
            names = [name for split in (TRAIN, TEST) if (name := first_of(folders, split))]
            inner = names if len(names) == 2 else [*folders]
            beside += [path for path in entries if path.name not in inner]
            if len(names) == 2:
                self._leave_out_beside(beside, " and ".join(f"{name}/" for name in names))
                return [folders[name] for name in names]
            if len(inner) != 1 or any(self._is_image(path.name) for path in shown):
                break
            folder = folders[inner[0]]
        return [self.root]

    def images(self, folders: Sequence[Path]) -> list[Images]:
        """Return the sorted images of folders; follow links when all real files are known."""
        for folder in folders:
            for above in folder.resolve().parents:  # a link to them would lead back here
                self._is_new(above.stat())
        parts: list[Images] = [[] for _ in folders]
        for folder, images in zip(folders, parts, strict=True):
            self._visit(folder, images)
        if self.links and not self.stamped:  # file systems may number links in another way
            for name in [name for images in parts for name, _ in images]:
                self._is_new(os.stat(name))  # noqa: PTH116
        for link, images in self.links:  # links below links join them meanwhile
            self._visit(link, images)
        names = {name.rpartition("/")[0] for images in parts for name, _ in images}
        used = {Path(name) for name in names}
        used |= {above for folder in used for above in folder.parents}
        used |= {*self.left_out.paths.get(_UNREADABLE, ()), *folders}
        empty = {folder: None for folder in self.visited if folder not in used}
        topmost = [folder for folder in empty if folder.parent not in empty]
        self.left_out.add("folder{s} without images", *topmost)
        if self.links:  # their images came last
            for images in parts:
                images.sort(key=lambda image: image[0].split("/"))
        return parts

    def _visit(self, path: Path, images: Images) -> None:
        """Use a file, or all that is in a folder. A link is what it leads to."""
        try:
            status = path.stat()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return self._refuse(path, error)
            return self.left_out.add("broken link{s}", path)
        if stat.S_ISDIR(status.st_mode):
            if not self._is_new(status):
                return self.left_out.add("link{s} to a folder above or read already", path)
            self.visited.append(path)
            prefix = str(path / "x")[:-1]
            for entry in self._entries(path):
                if is_hidden(entry.name):
                    self.left_out.add(_HIDDEN, path / entry.name)
                elif entry.is_symlink():
                    self.links.append((path / entry.name, images))
                elif entry.is_file(follow_symlinks=False) and self._is_image(entry.name):
                    own = entry.stat(follow_symlinks=False) if self.stamped else None
                    number = entry.inode() if own is None else own.st_ino
                    self._use(prefix + entry.name, _key(status.st_dev, number), own, images)
                else:
                    self._visit(path / entry.name, images)
        elif stat.S_ISREG(status.st_mode) and self._is_image(path.name):
            self._use(str(path), _key(status.st_dev, status.st_ino), status, images)
        else:
            self.left_out.add("file{s} of other kinds", path)

    def _use(self, name: str, key: int, status: os.stat_result | None, images: Images) -> None:
        """Use an image, unless it was seen before."""
        if self._add(key):
            images.append((name, status if self.stamped else None))
        else:
            self.left_out.add("second link{s} to an image", Path(name))

    def _is_new(self, status: os.stat_result) -> bool:
        return self._add(_key(status.st_dev, status.st_ino))

    def _add(self, key: int) -> bool:
        known = len(self.seen)
        self.seen.add(key)
        return len(self.seen) > known

    def _is_image(self, name: str) -> bool:
        dot = name.rfind(".")
        return dot > 0 and name[dot:].lower() in self.suffixes

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return what is in a folder, sorted; refuse one that cannot be read, or leave it out."""
        try:
            with os.scandir(str(folder)) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self._refuse(folder, error)
            return []

    def _refuse(self, path: Path, error: OSError) -> None:
        if not self.skip_bad:
            advice = "" if self.skip_bad is None else ", or set data.skip_bad=true to leave it out"
            raise InputError(f"{path}: cannot be read ({error.strerror}); make it readable{advice}")
        if path not in self.left_out.paths.get(_UNREADABLE, ()):
            self.left_out.add(_UNREADABLE, path)

    def _leave_out_beside(self, paths: Sequence[Path], folders: str) -> None:
        hidden = [path for path in paths if is_hidden(path.name)]
        self.left_out.add(_HIDDEN, *hidden)
        self.left_out.add(f"beside {folders}", *(path for path in paths if path not in hidden))
