"""Names of files, folders, splits and classes, compared in one normal form.

Disks, archives and people write one name in several ways: composed or decomposed Unicode, other
capitals, `train` or `Training set`. Everything that reads a meaning from a name asks here.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from PIL import Image, ImageFile

TRAIN, TEST = "train", "test"
Split = tuple[str, int]
"""TRAIN or TEST, and the rank of the name that stands for it."""
T = TypeVar("T")
_WORDS = {
    TRAIN: ("train", "training", "trn"),
    TEST: (
        *("val", "test", "valid", "validation"),  # the first of them that exists is the test set
        *("dev", "development", "testing", "tst", "eval", "evaluation", "holdout"),
    ),
}
_SPLIT = re.compile(
    r"((images?|imgs?|seg)[\W_]+)?([a-z]+?)[\W_]*(set|split|data|images?|imgs?)?[\W_]*((19|20)\d\d)?"
)
_SYSTEM = {
    *("@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot"),  # of NAS
    *("$recycle.bin", "recycler", "system volume information", "found.000"),  # of Windows
    *("thumbs.db", "ehthumbs.db", "desktop.ini"),
    *("__macosx", "icon\r", "network trash folder", "temporary items"),  # of macOS
    *("lost+found", "__pycache__"),
}
_PRECISE = (".tif", ".tiff", ".npy")  # files that are read without Pillow
_SHOWN = 3  # names in a sentence


def normal_form(name: str) -> str:
    """Return the form in which names are compared: composed Unicode, without capitals."""
    if name.isascii():  # the same, sooner: folders may hold millions
        return name.lower()
    return composed(composed(name).casefold())


def composed(name: str) -> str:
    """Return a name in composed Unicode (NFC)."""
    return unicodedata.normalize("NFC", name)


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden, or belongs to the system, not to the user."""
    return name.startswith(".") or normal_form(name) in _SYSTEM


def split_of(name: str) -> Split | None:
    """Return the split that a name stands for, and its rank among names of it; None for others.

    `Training`, `train_images` and `train2017` are `TRAIN`; `Val`, `dev` and `test-set` are `TEST`.
    """
    match = _SPLIT.fullmatch(normal_form(name).strip())
    for split, words in _WORDS.items():
        if match and match[3] in words:
            return split, words.index(match[3])
    return None


def split_in(name: str) -> Split | None:
    """Return the split of the last word of a name that stands for one: `x_train`, `val/3`."""
    words = [word for word in re.split(r"[\W\d_]+", normal_form(name)) if word]
    return next((split for word in reversed(words) if (split := split_of(word))), None)


def first_of(names: Iterable[str], split: str) -> str | None:
    """Return the name that stands for a split, the one of the lowest rank; None without one."""
    ranked = [(kind[1], name) for name in names if (kind := split_of(name)) and kind[0] == split]
    return min(ranked)[1] if ranked else None


def train_and_test(sets: Mapping[Split | None, list[T]]) -> tuple[list[list[T]], list[T]]:
    """Return training and test items, of the first names for them; and all others.

    Where either is missing, all items are one set, in the order of the mapping.
    """
    ranked = [[key for key in sets if key and key[0] == split] for split in (TRAIN, TEST)]
    if not all(ranked):
        return [[item for items in sets.values() for item in items]], []
    chosen = [min(keys, key=lambda key: key[1]) for keys in ranked]
    others = [item for key, items in sets.items() if key not in chosen for item in items]
    return [sets[key] for key in chosen], others


def image_suffixes() -> frozenset[str]:
    """Return the suffixes of images: TIFF, NumPy and all formats that Pillow decodes by itself."""
    others = {"MPEG", "EPS"}  # a format that Pillow only recognises, and one of Ghostscript
    return frozenset(_PRECISE) | {
        suffix
        for suffix, kind in Image.registered_extensions().items()
        if kind in Image.OPEN and kind not in others and not _is_stub(Image.OPEN[kind][0])
    }


def _is_stub(opener: object) -> bool:
    return isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)


def counted(reason: str, names: Sequence[str]) -> str:
    """Return the number of names, a reason, whose `{s}` is the s of a plural, and the first."""
    return f"{len(names)} {reason.replace('{s}', 's' * (len(names) > 1))} ({listed(names)})"


def listed(names: Sequence[str], most: int = _SHOWN) -> str:
    """Return the first of some names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
