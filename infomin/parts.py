"""A batch, as many samples at a time as the cache of a CPU holds; on a GPU all of them at once.

One batch of 256 images of 96 pixels is 28 MB, and what is done to it in steps is read from memory
and written there at every one of them (docs/decisions/0009-augmentation-in-cache.md).
"""

from collections.abc import Callable
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_TOGETHER = 2**18
"""Numbers that a CPU works on at a time: what its cache holds, some copies included."""


def change(
    x: Tensor,
    which: Bool[Tensor, " n"],
    operation: Callable[[Tensor, Tensor], Tensor],
    amount: Float[Tensor, "n ..."],
) -> None:
    """Change the chosen samples in place, each by its own amount."""
    chosen = which.nonzero().squeeze(1)
    for some in chosen.split(_length(x)):
        if len(some):
            rows = sent(some, x.device)
            x[rows] = operation(x[rows], sent(amount[some], x.device).to(x.dtype))


def sent(drawn: Tensor, device: torch.device) -> Tensor:
    """Return what was drawn on the CPU on a device, without waiting for what a GPU still does."""
    return drawn.to(device, non_blocking=device.type == "cuda")


def assemble(x: Tensor, operation: Callable[[Tensor, slice], Tensor]) -> Tensor:
    """Return what an operation makes of all samples; it is told which ones it is given."""
    n, length = len(x), _length(x)
    if n <= length:
        return operation(x, slice(0, n))
    first = operation(x[:length], slice(0, length))
    whole = first.new_empty(n, *first.shape[1:])
    whole[:length] = first
    for start in range(length, n, length):
        which = slice(start, min(start + length, n))
        whole[which] = operation(x[which], which)
    return whole


def _length(x: Tensor) -> int:
    """Samples at a time."""
    together = _TOGETHER // prod(x.shape[1:]) if x.device.type == "cpu" else len(x)
    return max(1, together)
