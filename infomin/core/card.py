"""What a card may claim: checked against its weights before anything is built from it.

A stranger's card can ask for any number of layers of any size. It is taken at its word on torch's
meta device alone, where a tensor has a shape and no memory.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import get_ident
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from infomin.core.errors import InputError

_UNFIT = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)
"""What building a thing from a wrong card can raise."""


@contextmanager
def fitting(folder: str | Path) -> Iterator[None]:
    """Blame card and weights for whatever building a thing from them raises.

    Raises:
        InputError: in place of the other error.
    """
    try:
        yield
    except _UNFIT as error:
        reason = error if isinstance(error, InputError) else repr(error)
        raise InputError(f"{folder}: card and weights do not fit together: {reason}") from None


@contextmanager
def sketched(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Build modules without memory, and no more of them than some weights can fill.

    torch's hook sees the modules that other threads build too; they are none of its business.

    Raises:
        InputError: for one parameter more than there are weights.
    """
    left, thread = len(weights), get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal left
        left -= get_ident() == thread
        if left < 0 and get_ident() == thread:
            raise InputError(f"the card asks for more than the {len(weights)} weights there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            yield
    finally:
        hook.remove()


def bounded(architecture: Any) -> None:
    """Refuse a card with a whole number that no honest one holds.

    Raises:
        InputError: for a number above 65536.
    """
    if isinstance(architecture, int) and architecture > 2**16:
        raise InputError("the card asks for more than any weights hold, a number above 65536")
    if isinstance(architecture, Mapping):
        architecture = list(architecture.values())
    if isinstance(architecture, list):
        for part in architecture:
            bounded(part)


def same_shapes(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Refuse weights of other names, shapes or types than a card asks for.

    Raises:
        InputError: when they differ; float32 and float64 pass for each other.
    """

    def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[bool, tuple[int, ...]]]:
        return {name: (w.is_floating_point(), tuple(w.shape)) for name, w in tensors.items()}

    if shapes(expected) != shapes(weights):
        raise InputError(f"the card asks for {len(expected)} weights of other names or shapes")
