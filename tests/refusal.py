"""Good and bad files, and the one line that refuses bad input."""

import json
from pathlib import Path

import pytest
from PIL import Image

from infomin.core.errors import InputError


def picture(path, mode="RGB", size=(8, 8)):
    """Make an image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


def refused(message):
    """Expect an `InputError` whose one line holds a pattern."""
    return pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$")


def spoil(path, damage):
    """Damage a file."""
    whole = path.read_bytes()
    path.write_bytes(
        {"truncated": whole[: len(whole) // 2], "text": b"<html>", "empty": b""}[damage]
    )
    return path


def edit(path, **changes):
    """Change entries of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Burglar:
    """An object whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def only_line(script, code=2):
    """Return the one line of a script that failed and made no run."""
    assert script.wait() == code, script.err
    assert len(script.err.splitlines()) == 1, script.err
    assert script.err.startswith("error: ")
    assert script.folders == []
    return script.err.removeprefix("error: ").strip()
