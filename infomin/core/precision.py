"""Modules whose tensors keep their type, whatever is done to a model around them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class FixedPrecision(nn.Module):
    """A module that `.half()`, `.double()` and `.to(dtype)` move and do not convert.

    Rounded to bfloat16, a view generator would be off by several grey levels.
    """

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Apply what moves or converts tensors, to this module and those inside it."""

        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, recurse)  # type: ignore[no-untyped-call]


def full_precision() -> torch.dtype:
    """Return float32, or float64 where that is torch's default type; never half precision."""
    return torch.promote_types(torch.get_default_dtype(), torch.float32)
