"""The contract of a flow, and the composition of flows."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import pad

from infomin.core.shapes import Image, Images, PerRow, Rows


def to_rows(images: Images) -> Rows:
    """Return the pixels of images as rows, stored channel by channel."""
    return rearrange(images, "b c h w -> c (b h w)").mT


def to_images(rows: Rows, like: Image) -> Images:
    """Return pixel rows as images; `like` gives their number and size."""
    b, _, h, w = like.shape
    return rearrange(rows.mT, "c (b h w) -> b c h w", b=b, h=h, w=w)


class Buffers:
    """Uninitialised tensors by name, allocated once for many chunks of pixels.

    With new memory per chunk, glibc can return each freed block to the system and fetch it anew,
    page by page. A flow on 4 megapixels then had a million page faults and took twice the time.
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._memory: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """Return the buffer of that name in this shape; its old content is arbitrary."""
        size = math.prod(shape)
        if name not in self._memory or self._memory[name].numel() < size:
            self._memory[name] = self._like.new_empty(size)
        return self._memory[name][:size].view(shape)


class Flow(nn.Module):
    """An invertible map of pixel rows `(n, c) -> (n, c)`.

    Subclasses define `_forward`, `_inverse` and, unless they preserve volume, `_log_abs_det` of a
    constant map or `_forward_and_log_abs_det`. Half-precision input is converted to float32, and
    autocast is off inside.
    """

    def forward(self, x: Rows) -> Rows:
        """Map x to y."""
        with _full_precision(x):
            return self._forward(_at_least_float32(x))

    def inverse(self, y: Rows) -> Rows:
        """Map y back to x."""
        with _full_precision(y):
            return self._inverse(_at_least_float32(y))

    def log_abs_det_jacobian(self, x: Rows) -> PerRow:
        """Return log |det dy/dx| at each row of x, in nats."""
        return self.forward_and_log_abs_det(x)[1]

    def forward_and_log_abs_det(self, x: Rows) -> tuple[Rows, PerRow]:
        """Return y and log |det dy/dx| at each row, in nats, in one pass."""
        with _full_precision(x):
            return self._forward_and_log_abs_det(_at_least_float32(x))

    def frozen(self) -> "Flow":
        """Return an equal flow for inference: matrices of weights are computed once."""
        return self

    def forward_(self, planes: Tensor, buffers: Buffers) -> None:
        """Replace x by y in place, `(c, n)`, without gradients; see `in_chunks`."""
        planes.copy_(self._forward(planes.mT).mT)

    def _forward(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def _log_abs_det(self, x: Tensor) -> Tensor:
        return x.new_zeros(len(x))

    def _forward_and_log_abs_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._forward(x), self._log_abs_det(x)


class Composition(Flow):
    """g = g_L . ... . g_1; log-determinants add up."""

    def __init__(self, flows: Sequence[Flow]) -> None:
        super().__init__()
        self.flows = nn.ModuleList(flows)

    def frozen(self) -> "Composition":
        """Return a composition of frozen flows."""
        return Composition([flow.frozen() for flow in self.flows])  # type: ignore[operator]

    def forward_(self, planes: Tensor, buffers: Buffers) -> None:
        """Replace x by y in place, flow after flow."""
        for flow in self.flows:
            flow.forward_(planes, buffers)  # type: ignore[operator]

    def _forward(self, x: Tensor) -> Tensor:
        for flow in self.flows:
            x = flow(x)
        return x

    def _inverse(self, y: Tensor) -> Tensor:
        for flow in reversed(self.flows):
            y = flow.inverse(y)  # type: ignore[operator]
        return y

    def _forward_and_log_abs_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(len(x))
        for flow in self.flows:
            x, log_det = flow.forward_and_log_abs_det(x)  # type: ignore[operator]
            total = total + log_det
        return x, total


_FEWEST_ROWS = 16
"""Products of fewer take other paths through the libraries, and differ in the last bit."""


def in_chunks(flow: Flow, x: Rows, rows: int = 2**15) -> Rows:
    """Apply a frozen flow to chunks of rows, whose hidden layers fit a CPU's caches; no gradients.

    All chunks are computed in the same memory. They are equally long, and a few rows are computed
    among others: a row then gives the same bits wherever it stands.
    """
    with _full_precision(x), torch.no_grad():
        n, planes = len(x), _at_least_float32(x).mT
        if n < _FEWEST_ROWS:
            planes = pad(planes, (0, _FEWEST_ROWS - n))
        y, buffers = torch.empty_like(planes), Buffers(planes)
        chunks = -(-planes.shape[1] // rows)
        pairs = zip(planes.tensor_split(chunks, 1), y.tensor_split(chunks, 1), strict=True)
        for part, target in pairs:
            flow.forward_(target.copy_(part), buffers)
    return y[:, :n].mT


def _full_precision(x: Tensor) -> AbstractContextManager[object]:
    """Switch autocast off if it is on."""
    device = x.device.type
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return nullcontext()


def _at_least_float32(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
