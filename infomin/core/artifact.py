"""A trained thing on disk: `model.safetensors` and `card.json`, data and never code.

The card tells how to build it, what it takes and how it was trained; the weights file remembers a
digest of the card and one of the weights, so that a card edited by hand or a damaged file is
noticed. That guards against accidents; it is no signature. Loading a folder from a stranger can
fail, and can do nothing else: no weight is read and nothing is built before the header of the
weights file was found to hold what the card asks for.

Format 2 added the digest of the weights. Folders of format 1 are refused: a flipped bit of theirs
would load as another generator, unnoticed.

Symbolic links may lead to regular files, as in the caches of huggingface_hub: they show no one what
they could not read already. Links to anything else are refused, like devices, pipes and folders.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from infomin import __version__
from infomin.core import card as claims
from infomin.core import files
from infomin.core.errors import InputError

VERSION = 2
WEIGHTS, CARD = "model.safetensors", "card.json"
Fits = Callable[[Mapping[str, Any], Mapping[str, Tensor]], None]
"""Raises when an architecture does not fit weights, of which it sees names, shapes and types."""

_SECTIONS = ("architecture", "training", "versions")
_TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
_MOST_CARD = 2**20
_MOST_HEADER = 2**20
_MOST_WEIGHTS = {"generator": 2**25, "encoder": 2**33}


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
        InputError: when the folder exists or cannot be written, or `load` would not take it.
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

    Raises:
        InputError: as `save`.
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
    for name, w in tensors.items():
        if w.dtype not in _TYPES.values():
            raise InputError(f"{name}: expected float32, got {w.dtype}; save it in float32")
    if name := _endless(tensors):
        raise InputError(f"{name} holds NaN or infinity: its training diverged; nothing was saved")
    files.write_json(folder / CARD, card)
    files.write_bytes(folder / WEIGHTS, to_bytes(tensors, metadata=seal(card, tensors)))
    for name, most in ((CARD, _MOST_CARD), (WEIGHTS, _MOST_WEIGHTS[kind])):
        if why := files.unreadable(folder / name, most):
            raise InputError(f"cannot be saved: {name} {why}; nothing is left of it")


def load(folder: Path, kind: str, fits: Fits) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read card and weights, and check that they belong together.

    Arguments:
        folder: that `save` made.
        kind: `generator` or `encoder`.
        fits: called before any weight is read.

    Raises:
        InputError: one line naming what is wrong.
    """
    card = read_card(folder, kind)
    path = _readable(folder, kind, WEIGHTS, _MOST_WEIGHTS[kind])
    with claims.fitting(folder):
        claims.bounded(card["architecture"])
        digest = _of_card(card)
    try:
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _MOST_HEADER:
            raise InputError(f"{path}: is damaged (a header of {header} bytes)")
        with safe_open(path, framework="pt") as stored:
            sealed = stored.metadata() or {}
            if sealed.get("card") != digest:
                raise InputError(
                    f"{folder / CARD}: is not the card that was saved with {WEIGHTS}; it was "
                    f"changed afterwards, so take the original or save the {kind} again"
                )
            with claims.fitting(folder):
                fits(card["architecture"], {name: _outline(stored, name) for name in stored.keys()})
            weights = {name: stored.get_tensor(name) for name in stored.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error})") from None
    if sealed.get("weights") != _of_weights(weights):
        raise InputError(f"{path}: is damaged (these are not the weights that were saved)")
    if name := _endless(weights):
        raise InputError(f"{path}: {name} holds NaN or infinity")
    return card, weights


def read_card(folder: Path, kind: str) -> dict[str, Any]:
    """Read the card alone.

    Raises:
        InputError: when it is missing, of another format, or lacks a section.
    """
    path = _readable(folder, kind, CARD, _MOST_CARD)
    card = files.read_json(path)
    if not isinstance(card, dict) or card.get("format") != _format(kind):
        found = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise InputError(f"{path}: expected format {_format(kind)}, got {found}")
    missing = [name for name in _SECTIONS if not isinstance(card.get(name), dict)]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}")
    return card


def seal(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Make what the weights file remembers: digests of the card and of the weights."""
    return {"card": _of_card(card), "weights": _of_weights(weights)}


def _of_card(card: Mapping[str, Any]) -> str:
    canonical = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _of_weights(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, w in sorted(weights.items()):
        digest.update(f"{name} {w.dtype} {list(w.shape)} ".encode())
        digest.update(w.numpy().data)
    return digest.hexdigest()


def _endless(weights: Mapping[str, Tensor]) -> str:
    """Name a tensor that holds NaN or infinity, if one does."""
    return next((name for name, w in weights.items() if not w.isfinite().all()), "")


def _format(kind: str) -> str:
    return f"infomin-{kind}/{VERSION}"


def _readable(folder: Path, kind: str, name: str, most: int) -> Path:
    if why := files.unreadable(folder / name, most):
        raise InputError(f"{folder}: is not a saved {kind}, {name} {why}")
    return folder / name


def _outline(stored: safe_open, name: str) -> Tensor:
    """Return a tensor of a file without its values."""
    part = stored.get_slice(name)  # type: ignore[no-untyped-call]
    if part.get_dtype() not in _TYPES:
        raise InputError(f"{name}: expected float32, got {part.get_dtype()}")
    return torch.empty(part.get_shape(), dtype=_TYPES[part.get_dtype()], device="meta")
