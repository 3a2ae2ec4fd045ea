"""A batch, as many samples at a time as the cache of a CPU holds; on a GPU all of them at once.

One batch of 256 images of 96 pixels is 28 MB, and what is done to it in steps is read from memory
and written there at every one of them. A GPU waits for orders instead: it is sent what was drawn
once for all samples and views (docs/decisions/0009-augmentation-in-cache.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

_TOGETHER = 2**18
"""Numbers that a CPU works on at a time: what its cache holds, some copies included."""


def change(
    x: Tensor,
    drawn: Int64[Tensor, "n places"],
    operations: Sequence[Callable[[Tensor, Tensor], Tensor]],
    amount: Float[Tensor, "n places ..."],
) -> None:
    """Change samples in place, place by place, each by what it drew there and its own amount.

    Samples of one operation are changed together, and what says which they are is sent once for
    all: to a GPU that waits for orders, each one counts.

    Arguments:
        x: the samples.
        drawn: which of the operations, by index; -1 for none.
        operations: take samples and their amounts, and return as many of the same shape.
        amount: a row a sample and place.
    """
    counts = [torch.bincount(of + 1, minlength=1 + len(operations)) for of in drawn.unbind(1)]
    if not any(count[1:].any() for count in counts):
        return
    order = drawn.argsort(stable=True, dim=0)
    sorted_amount = amount[order, torch.arange(order.shape[1])].to(x.dtype)
    rows, amounts = sent(order, x.device).unbind(1), sent(sorted_amount, x.device).unbind(1)
    for count, place, by in zip(counts, rows, amounts, strict=True):
        sizes = count.tolist()
        groups = zip(operations, place.split(sizes)[1:], by.split(sizes)[1:], strict=True)
        for operation, which, their in groups:
            if len(which):
                _change(x, which, operation, their)


def _change(
    x: Tensor, which: Tensor, operation: Callable[[Tensor, Tensor], Tensor], amount: Tensor
) -> None:
    """Change some samples by one operation."""
    length = _length(x)
    for some, their in zip(which.split(length), amount.split(length), strict=True):
        x.index_copy_(0, some, operation(x.index_select(0, some), their))


def join(drawn: Sequence[Any]) -> Any:
    """Return what was drawn for several batches as if it were for one: dataclasses of tensors."""
    first = drawn[0]
    if isinstance(first, Tensor):
        return torch.cat(list(drawn))
    names = [field.name for field in fields(first)]
    return replace(first, **{name: join([getattr(d, name) for d in drawn]) for name in names})


def sent(drawn: Tensor, device: torch.device) -> Tensor:
    """Return what was drawn on the CPU on a device, without waiting for what a GPU still does.

    From memory that may be paged out CUDA copies only when all that was ordered before is done.
    """
    if drawn.is_cpu and device.type == "cuda":
        return drawn.pin_memory().to(device, non_blocking=True)
    return drawn.to(device)


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
