"""A trained thing on disk: `model.safetensors` and `card.json`, data and never code.

The card tells how to build it, what it takes and how it was trained; the weights file remembers a
digest of the card, so that a card edited by hand is noticed. That guards against accidents; it is
no signature. Loading a folder from a stranger can fail, and can do nothing else.
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from infomin import __version__, files
from infomin.errors import InputError

VERSION = 1
WEIGHTS, CARD = "model.safetensors", "card.json"
UNFIT = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)
"""What building a thing from a wrong card can raise."""
_SECTIONS = ("format", "architecture", "training", "versions")


def save(
    folder: Path,
    kind: str,
    architecture: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    training: Mapping[str, Any],
) -> Path:
    """Write a new folder, whole or not at all.

    Arguments:
        folder: must not exist yet.
        kind: `generator` or `encoder`.
        architecture: what it takes to build the thing again.
        weights: its state dict.
        training: how it was trained; plain JSON values.

    Raises:
        InputError: when the folder exists, or cannot be written.
    """
    with files.new_folder(folder) as new:
        fill(new, kind, architecture, weights, training)
    return folder


def fill(
    folder: Path,
    kind: str,
    architecture: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    training: Mapping[str, Any],
    exports: Mapping[str, Any] | None = None,
) -> None:
    """Write card and weights into a folder that is there already.

    Arguments:
        exports: what the card tells of other files in the folder, by name.
    """
    card = {
        "format": _format(kind),
        "architecture": dict(architecture),
        "training": dict(training),
        **({"exports": dict(exports)} if exports else {}),
        "versions": {
            "infomin": __version__,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    files.write_json(folder / CARD, card)
    files.write_bytes(folder / WEIGHTS, to_bytes(tensors, metadata={"card": _digest(card)}))


def load(folder: Path, kind: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read card and weights, and check that they belong together.

    Raises:
        InputError: one line naming what is wrong.
    """
    for name in (CARD, WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: is not a saved {kind}, {name} is missing there")
    card = read_card(folder, kind)
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as stored:
            digest = (stored.metadata() or {}).get("card")
            weights = {name: stored.get_tensor(name) for name in stored.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{folder / WEIGHTS}: is damaged ({error})") from None
    if digest != _digest(card):
        raise InputError(
            f"{folder / CARD}: is not the card that was saved with {WEIGHTS}; it was changed "
            f"afterwards, so take the original or save the {kind} again"
        )
    return card, weights


def read_card(folder: Path, kind: str) -> dict[str, Any]:
    """Read the card alone.

    Raises:
        InputError: when it is missing, of another format, or lacks a section.
    """
    card = files.read_json(folder / CARD)
    if not isinstance(card, dict) or card.get("format") != _format(kind):
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise InputError(f"{folder / CARD}: expected format {_format(kind)}, got {found}")
    missing = [name for name in _SECTIONS if not isinstance(card.get(name), dict | str)]
    if missing:
        raise InputError(f"{folder / CARD}: lacks {', '.join(missing)}")
    return card


def bounded(architecture: Any, weights: Mapping[str, Tensor]) -> None:
    """Refuse a card with a whole number that nothing in its weights can explain.

    A stranger's card can ask for any size; whoever builds from it calls this first. Not every
    honest number shows in the weights: images of any size go through one ResNet.

    Raises:
        InputError: for a number above 4096 + the number of weights + their longest side.
    """
    sides = [side for w in weights.values() for side in w.shape]
    most = 4096 + len(weights) + max(sides, default=0)
    if isinstance(architecture, int) and architecture > most:
        raise InputError("the card asks for more than the weights hold")
    if isinstance(architecture, Mapping):
        architecture = list(architecture.values())
    if isinstance(architecture, list):
        for part in architecture:
            bounded(part, weights)


def same_shapes(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of other names or shapes than a card asks for.

    Raises:
        InputError: when they differ.
    """
    if {k: tuple(w.shape) for k, w in expected.items()} != {
        k: tuple(w.shape) for k, w in weights.items()
    }:
        raise InputError(f"the card asks for {len(expected)} weights of other names or shapes")


def _format(kind: str) -> str:
    return f"infomin-{kind}/{VERSION}"


def _digest(card: Mapping[str, Any]) -> str:
    canonical = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
