"""Names of files, folders and classes, fit to be shown and to become names of other files.

Python keeps a byte of a file name that is no UTF-8 as half of a surrogate pair. Such a text cannot
be printed, drawn or written as UTF-8.
"""

import hashlib
import io
import re

_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Other halves of surrogate pairs, which JSON can hold."""


def utf8(text: str) -> bytes:
    """Return a text as UTF-8; what stands for a byte of a file name becomes this byte again."""
    return _HALVES.sub(" ", text).encode("utf-8", "surrogateescape")


def printable(text: str) -> str:
    """Return a text that any file, page and figure can hold, on one line.

    Bytes that are no UTF-8 become `\\xfc`, control characters become blanks.
    """
    decoded = utf8(text).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else " " for c in decoded)


def file_name(text: str, most: int = 120) -> str:
    """Return a text as the name of a file, without `/` and of at most `most` bytes.

    A longer one is cut and ends in its digest. File systems take 143 or 255 bytes.
    """
    whole = printable(text).replace("/", "_").encode()
    if len(whole) <= most:
        return whole.decode()
    digest = hashlib.sha256(whole).hexdigest()[:12]
    return f"{whole[: most - 13].decode(errors='ignore')}-{digest}"


def accept_any_name(*streams: object) -> None:
    """Let streams write escapes for the letters that their encoding lacks, instead of raising."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
