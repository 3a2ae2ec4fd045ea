"""A saved model: a folder with `model.safetensors` and `card.json`, data and never code.

The card holds the architecture, the training and the versions. The metadata of the weights file
holds digests of the card and of the weights. They reveal an edited card or a damaged file; they
guard against accidents and are no signature.

Loading a stranger's folder can fail and can do nothing else. The header of the weights file is
compared with the card first. Only then weights are read and modules are built.

Format 2 added the digest of the weights. Format 1 is refused: there a flipped bit would load as
another model, unnoticed.

Symbolic links to regular files are followed, as in the cache of huggingface_hub. Links to anything
else are refused, like devices, pipes and folders.
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
from infomin.core import files
from infomin.core.card import card_errors, check_size
from infomin.core.errors import InputError

VERSION = 2
WEIGHTS, CARD = "model.safetensors", "card.json"
ValidateCard = Callable[[Mapping[str, Any], Mapping[str, Tensor]], None]
"""Raise unless an architecture fits weights, which are given on the meta device."""

_SECTIONS = ("architecture", "training", "versions")
_TYPES = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64}
_MAX_CARD = 2**20
_MAX_HEADER = 2**20
_MAX_WEIGHTS = {"generator": 2**25, "encoder": 2**33}


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
        architecture: arguments that build the model again.
        weights: its state dict.
        training: how it was trained; plain JSON values.

    Raises:
        InputError: when the folder exists or cannot be written, or `load` would refuse it.
    """
    folder = files.user_path(folder)
    with files.new_folder(folder) as new:
        write(new, kind, architecture, weights, training)
    return folder


def write(
    folder: Path,
    kind: str,
    architecture: Mapping[str, Any],
    weights: Mapping[str, Tensor],
    training: Mapping[str, Any],
    exports: Mapping[str, Any] | None = None,
) -> None:
    """Write card and weights into an existing folder.

    Arguments:
        folder, kind, architecture, weights, training: as in `save`.
        exports: records of other files in the folder, by name, for the card.
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
    if name := _not_finite(tensors):
        raise InputError(f"{name} holds NaN or infinity: its training diverged; nothing was saved")
    files.write_json(folder / CARD, card)
    files.write_bytes(folder / WEIGHTS, to_bytes(tensors, metadata=digests(card, tensors)))
    for name, limit in ((CARD, _MAX_CARD), (WEIGHTS, _MAX_WEIGHTS[kind])):
        if reason := files.reason_not_to_read(folder / name, limit):
            raise InputError(f"cannot be saved: {name} {reason}; nothing is left of it")


def load(
    folder: Path, kind: str, validate_card: ValidateCard
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read card and weights, and check that they belong together.

    Arguments:
        folder: written by `save`.
        kind: `generator` or `encoder`.
        validate_card: called before any weight is read.

    Raises:
        InputError: one line that names the problem.
    """
    folder = files.user_path(folder)
    card = read_card(folder, kind)
    path = _checked_path(folder, kind, WEIGHTS, _MAX_WEIGHTS[kind])
    with card_errors(folder):
        check_size(card["architecture"])
        digest = _card_digest(card)
    try:
        with path.open("rb") as stream:
            header = int.from_bytes(stream.read(8), "little")
        if header > _MAX_HEADER:
            raise InputError(f"{path}: is damaged (a header of {header} bytes)")
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            if metadata.get("card") != digest:
                raise InputError(
                    f"{folder / CARD}: is not the card that was saved with {WEIGHTS}; it was "
                    f"changed afterwards, so take the original or save the {kind} again"
                )
            with card_errors(folder):
                shapes = {name: _meta_tensor(stored, name) for name in stored.keys()}
                validate_card(card["architecture"], shapes)
            weights = {name: stored.get_tensor(name) for name in stored.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: is damaged ({error})") from None
    if metadata.get("weights") != _weights_digest(weights):
        raise InputError(f"{path}: is damaged (these are not the weights that were saved)")
    if name := _not_finite(weights):
        raise InputError(f"{path}: {name} holds NaN or infinity")
    return card, weights


def read_card(folder: Path, kind: str) -> dict[str, Any]:
    """Read the card alone.

    Raises:
        InputError: when it is missing, of another format, or lacks a section.
    """
    path = _checked_path(files.user_path(folder), kind, CARD, _MAX_CARD)
    card = files.read_json(path)
    if not isinstance(card, dict) or card.get("format") != _format(kind):
        got = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise InputError(f"{path}: expected format {_format(kind)}, got {got}")
    missing = [name for name in _SECTIONS if not isinstance(card.get(name), dict)]
    if missing:
        raise InputError(f"{path}: lacks {', '.join(missing)}")
    return card


def digests(card: Mapping[str, Any], weights: Mapping[str, Tensor]) -> dict[str, str]:
    """Return the metadata of the weights file: digests of the card and of the weights."""
    return {"card": _card_digest(card), "weights": _weights_digest(weights)}


def _card_digest(card: Mapping[str, Any]) -> str:
    canonical = json.dumps(card, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _weights_digest(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, w in sorted(weights.items()):
        digest.update(f"{name} {w.dtype} {list(w.shape)} ".encode())
        digest.update(w.numpy().data)
    return digest.hexdigest()


def _not_finite(weights: Mapping[str, Tensor]) -> str:
    """Return the name of the first tensor with NaN or infinity, or ''."""
    return next((name for name, w in weights.items() if not w.isfinite().all()), "")


def _format(kind: str) -> str:
    return f"infomin-{kind}/{VERSION}"


def _checked_path(folder: Path, kind: str, name: str, limit: int) -> Path:
    """Return the path of a file that is safe to open, of at most `limit` bytes."""
    if reason := files.reason_not_to_read(folder / name, limit):
        raise InputError(f"{folder}: is not a saved {kind}, {name} {reason}")
    return folder / name


def _meta_tensor(stored: safe_open, name: str) -> Tensor:
    """Return a tensor of a weights file on the meta device, without its values."""
    header = stored.get_slice(name)  # type: ignore[no-untyped-call]
    if header.get_dtype() not in _TYPES:
        raise InputError(f"{name}: expected float32, got {header.get_dtype()}")
    return torch.empty(header.get_shape(), dtype=_TYPES[header.get_dtype()], device="meta")
