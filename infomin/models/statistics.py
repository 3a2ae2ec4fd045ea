"""Batch statistics that are used but not remembered."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def uncounted(module: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the statistics of a batch without adding them to its own."""
    counting = [m for m in module.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for m in counting:
        m.track_running_stats = False
    try:
        yield
    finally:
        for m in counting:
            m.track_running_stats = True
