"""What tests of bad input share: files, good and bad, and the one line that refuses them."""

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


def spoil(path, how):
    """Damage a file."""
    whole = path.read_bytes()
    path.write_bytes({"truncated": whole[: len(whole) // 2], "text": b"<html>", "empty": b""}[how])
    return path


def edit(path, **changes):
    """Change entries of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


class Burglar:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def only_line(script, code=2):
    """What a script said, if it was one line, with nothing made."""
    assert script.wait() == code, script.err
    assert len(script.err.splitlines()) == 1, script.err
    assert script.err.startswith("error: ")
    assert script.folders == []
    return script.err.removeprefix("error: ").strip()
