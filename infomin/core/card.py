"""Check the card of a saved model against its weights before anything is built from it.

The card of a stranger can ask for any number of layers of any size. Only torch's meta device
follows it: there a tensor has a shape and no memory.
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

_BUILD_ERRORS = (
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
)
"""Errors that building a model from a wrong card can raise."""


@contextmanager
def card_errors(folder: str | Path) -> Iterator[None]:
    """Turn every error of building a model from a card into one line about the folder.

    Raises:
        InputError: in place of the other error.
    """
    try:
        yield
    except _BUILD_ERRORS as error:
        reason = error if isinstance(error, InputError) else repr(error)
        raise InputError(f"{folder}: card and weights do not fit together: {reason}") from None


@contextmanager
def build_on_meta(weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Build modules without memory, with at most as many parameters as there are weights.

    torch's hook also sees the modules of other threads; they are not counted.

    Raises:
        InputError: at the first parameter beyond the number of weights.
    """
    left, thread = len(weights), get_ident()

    def count(module: nn.Module, name: str, parameter: nn.Parameter) -> None:
        nonlocal left
        if get_ident() != thread:
            return
        left -= 1
        if left < 0:
            raise InputError(f"the card asks for more than the {len(weights)} weights there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        with torch.device("meta"):
            yield
    finally:
        hook.remove()


def check_size(architecture: Any) -> None:
    """Check that no whole number of a card is larger than any model needs.

    Raises:
        InputError: for a number above 65536.
    """
    if isinstance(architecture, int) and architecture > 2**16:
        raise InputError("the card asks for more than any weights hold, a number above 65536")
    if isinstance(architecture, Mapping):
        architecture = list(architecture.values())
    if isinstance(architecture, list):
        for value in architecture:
            check_size(value)


def check_shapes(expected: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    """Check that weights have the names, shapes and types that a card asks for.

    Raises:
        InputError: when they differ; float32 and float64 pass for each other.
    """

    def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[bool, tuple[int, ...]]]:
        return {name: (w.is_floating_point(), tuple(w.shape)) for name, w in tensors.items()}

    if shapes(expected) != shapes(weights):
        raise InputError(f"the card asks for {len(expected)} weights of other names or shapes")
