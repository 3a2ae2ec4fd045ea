r"""The gradient of a loss over a large batch, embedded a chunk at a time (arXiv:2101.06983).

A contrastive loss needs all embeddings at once, but its gradient with respect to each of them is
all that an encoder has to know. So: embed chunks without a graph; take the loss and its gradient at
the embeddings; embed the chunks again, and pass each chunk the gradient of its embeddings. The
result is exactly the gradient of the whole batch, at the price of a second forward pass. Batch
normalisation sees chunks, in both passes alike, and counts them once.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor

from infomin.methods.base import Batch, Method, Views
from infomin.models.backbones import uncounted

Autocast = Callable[[], AbstractContextManager[object]]


def embed(
    method: Method, chunks: Sequence[Views], batch: Batch, autocast: Autocast
) -> dict[int, Tensor]:
    """Return the embeddings of a batch as leaves of the graph; their gradients are kept.

    Arguments:
        method: embeds views; its batch statistics do not change.
        chunks: views of the batch, some images at a time.
        batch: see `Method.embed`.
        autocast: makes the context that the method runs in.
    """
    parts = []
    with torch.no_grad(), uncounted(method):
        for views in chunks:
            with autocast():
                parts.append(method.embed(views, batch))
    return {i: torch.cat([part[i] for part in parts]).requires_grad_() for i in parts[0]}


def pass_on(
    method: Method, chunks: Sequence[Views], z: Views, batch: Batch, autocast: Autocast
) -> None:
    """Add the gradients of embeddings to those of the method's parameters; see `embed`."""
    start = 0
    for views in chunks:
        with autocast():
            again = method.embed(views, batch)
        stop = start + len(next(iter(again.values())))
        gradients = {i: e.grad[start:stop] for i, e in z.items() if e.grad is not None}
        torch.autograd.backward([again[i] for i in gradients], [*gradients.values()])
        start = stop
