"""Coupling layers on pixel rows: NICE's additive one and RealNVP's affine one."""

from collections.abc import Sequence
from copy import copy
from itertools import pairwise

import torch
from torch import Tensor, nn

from infomin.flows.base import Buffers, Flow


class Coupling(Flow):
    r"""Some channels pass unchanged; a small network of them changes the others.

    Additive: y_b = x_b + t(x_a), log-det 0 (VP, NICE). Affine: y_b = x_b exp(s(x_a)) + t(x_a) with
    s = bound * tanh(.), log-det = sum of s (NVP, RealNVP). The bound keeps scales finite and away
    from 0. y_a = x_a in both.

    Arguments:
        channels: C, at least 2.
        passed: the channels x_a that pass; all others are changed.
        kind: `additive` or `affine`.
        hidden: width of the network.
        layers: number of its hidden layers, at least 1.
        log_scale_bound: largest |s|, in nats; affine only.
    """

    def __init__(
        self,
        channels: int,
        passed: Sequence[int],
        kind: str = "affine",
        hidden: int = 32,
        layers: int = 2,
        log_scale_bound: float = 2.0,
    ) -> None:
        super().__init__()
        self.passed = list(passed)
        self.changed = [i for i in range(channels) if i not in passed]
        self.kind, self.log_scale_bound = kind, log_scale_bound
        self.row_by_row = False
        outputs = len(self.changed) * (2 if kind == "affine" else 1)
        widths = [len(self.passed)] + [hidden] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def frozen(self) -> "Coupling":
        """Return the same coupling with hidden layers stored row by row.

        That makes inference 1.5 times as fast, and training slower.
        """
        frozen = copy(self)
        frozen.row_by_row = True
        return frozen

    def forward_(self, planes: Tensor, buffers: Buffers) -> None:
        """Replace x by y in place; only the changed channels are written."""
        a, b = _index(self.passed), _index(self.changed)
        n = planes.shape[1]
        h = planes[a].mT
        for i, layer in enumerate(self.hidden):
            assert isinstance(layer, nn.Linear)
            out = buffers(f"hidden {i % 2}", n, layer.out_features)
            h = torch.addmm(layer.bias, h, layer.weight.mT, out=out).relu_()
        out = buffers("output", self.output.out_features, n)
        torch.mm(self.output.weight, h.mT, out=out).add_(self.output.bias[:, None])
        if self.kind == "additive":
            planes[b] += out
            return
        shift, raw = out.chunk(2)
        scale = raw.tanh_().mul_(self.log_scale_bound).exp_()
        planes[b] = torch.addcmul(shift, planes[b], scale, out=shift)

    def _forward(self, x: Tensor) -> Tensor:
        return self._couple(x)[0]

    def _forward_and_log_abs_det(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y, log_scale = self._couple(x)
        return y, x.new_zeros(len(x)) if log_scale is None else log_scale.sum(0)

    def _couple(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return y and, if affine, s, `(c_b, n)`."""
        a, b = self._split(x)
        shift, log_scale = self._network(a)
        if log_scale is None:
            return self._join(a, b + shift), None
        return self._join(a, torch.addcmul(shift, b, log_scale.exp())), log_scale

    def _inverse(self, y: Tensor) -> Tensor:
        a, b = self._split(y)
        shift, log_scale = self._network(a)
        if log_scale is None:
            return self._join(a, b - shift)
        return self._join(a, (b - shift) * (-log_scale).exp())

    def _network(self, a: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return t and, if affine, s of the passed channels, all `(c_i, n)`."""
        h = a.mT if self.row_by_row else a
        for layer in self.hidden:
            h = (layer(h) if self.row_by_row else _linear(layer, h)).relu_()
        out = _linear(self.output, h.mT if self.row_by_row else h)
        if self.kind == "additive":
            return out, None
        shift, raw = out.chunk(2)
        return shift, self.log_scale_bound * torch.tanh(raw)

    def _split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the passed and the changed channels, `(c_i, n)` each."""
        channels = x.unbind(-1)
        a, b = ([channels[i] for i in index] for index in (self.passed, self.changed))
        return torch.stack(a), torch.stack(b)

    def _join(self, a: Tensor, b: Tensor) -> Tensor:
        """Undo `_split`."""
        channels = dict(zip([*self.passed, *self.changed], [*a, *b], strict=True))
        return torch.stack([channels[i] for i in range(len(channels))]).mT

    def extra_repr(self) -> str:
        """Show the kind and the passed channels."""
        return f"{self.kind}, passed={self.passed}"


def _index(channels: list[int]) -> slice | list[int]:
    """Return consecutive channels as a slice: indexing by a slice copies nothing."""
    first, last = channels[0], channels[-1]
    return slice(first, last + 1) if channels == list(range(first, last + 1)) else channels


def _linear(layer: nn.Module, h: Tensor) -> Tensor:
    """Apply an `nn.Linear` to `(c, n)`; `addmm` would first copy the biases, and be much slower."""
    assert isinstance(layer, nn.Linear)
    return (layer.weight @ h).add_(layer.bias[:, None])
