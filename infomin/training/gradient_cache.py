r"""The gradient of a loss over a large batch, embedded a part at a time (arXiv:2101.06983).

A contrastive loss needs all embeddings at once, but its gradient with respect to each of them is
all that its encoder has to know. So: embed in chunks and forget how; take the loss and its gradient
at the embeddings; embed in chunks again, and hand each chunk the gradient of its embeddings. The
result is the gradient of the whole, exactly, at the price of a second forward pass. Batch
normalisation sees chunks, in both passes alike, and counts them once.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from infomin.models.statistics import uncounted

Chunks = Sequence[tuple[Tensor, ...]]
"""Views of a batch, some images at a time; the last may have fewer, views that are rare none."""
Autocast = Callable[[], AbstractContextManager[object]]


def embed(encoders: nn.Module, chunks: Chunks, autocast: Autocast) -> list[Tensor]:
    """Return the embeddings of views, which know nothing of the encoders; their gradients are kept.

    Arguments:
        encoders: or another module from views to embeddings, as it is; its running statistics do
            not change.
        chunks: views of the batch, some images at a time.
        autocast: makes the context that encoders run in.
    """
    parts = []
    with torch.no_grad(), uncounted(encoders):
        for views in chunks:
            with autocast():
                parts.append(encoders(views))
    return [torch.cat(of_view).requires_grad_() for of_view in zip(*parts, strict=True)]


def pass_on(encoders: nn.Module, chunks: Chunks, z: Sequence[Tensor], autocast: Autocast) -> None:
    """Add the gradients of embeddings to those of the encoders, chunk by chunk; see `embed`."""
    sizes = [[len(of_view) for of_view in views] for views in zip(*chunks, strict=True)]
    gradients = [
        [None] * len(chunks) if of_view.grad is None else of_view.grad.split(lengths)
        for of_view, lengths in zip(z, sizes, strict=True)
    ]
    for views, *of_chunk in zip(chunks, *gradients, strict=True):
        with autocast():
            again = encoders(views)
        known = [(e, g) for e, g in zip(again, of_chunk, strict=True) if len(e) and g is not None]
        if known:  # a view can be absent, or in no loss
            torch.autograd.backward([e for e, _ in known], [g for _, g in known])
