"""Coupling layers: NICE's additive one and RealNVP's affine one, on pixel rows."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.flows.base import Flow


class Coupling(Flow):
    r"""Some channels pass, and a small network of them changes the others.

    Additive: y_b = x_b + t(x_a), log-det 0 (VP, NICE). Affine: y_b = x_b exp(s(x_a)) + t(x_a) with
    s = bound * tanh(.), log-det = sum of s (NVP, RealNVP); the bound keeps a channel from being
    blown up or shrunk to nothing. y_a = x_a in both.

    The network's first weight is widened by zero columns and its last by zero rows, so that every
    layer is one product over whole rows: no channel is ever sliced out or put back.

    Arguments:
        channels: C, at least 2.
        passed: the channels x_a that pass; all others are changed.
        kind: `additive` or `affine`.
        hidden: width of the network.
        layers: its number of hidden layers, at least 1.
        log_scale_bound: largest |s|, in nats; affine only.
    """

    reads: Tensor
    writes: Tensor

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
        changed = [i for i in range(channels) if i not in passed]
        self.kind, self.log_scale_bound = kind, log_scale_bound
        outputs = len(changed) * (2 if kind == "affine" else 1)
        widths = [len(passed)] + [hidden] * layers
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.output = nn.Linear(hidden, outputs)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)
        eye = torch.eye(channels)
        self.register_buffer("reads", eye[list(passed)], persistent=False)
        self.register_buffer("writes", eye[:, changed], persistent=False)

    def _features(self, x: Tensor) -> Tensor:
        """Run the hidden layers: they see nothing but the passed channels."""
        first: nn.Linear = self.hidden[0]  # type: ignore[assignment]
        h = F.relu(F.linear(x, first.weight @ self.reads, first.bias))
        for layer in self.hidden[1:]:
            h = F.relu(layer(h))
        return h

    def _shift(self, h: Tensor) -> Tensor:
        """Return t, `(n, c)`: zero on the passed channels."""
        k = self.writes.shape[1]
        return F.linear(h, self.writes @ self.output.weight[:k], self.writes @ self.output.bias[:k])

    def _log_scale(self, h: Tensor) -> Tensor:
        """Return s, `(n, c)`: zero on the passed channels."""
        k = self.writes.shape[1]
        raw = F.linear(h, self.writes @ self.output.weight[k:], self.writes @ self.output.bias[k:])
        return self.log_scale_bound * torch.tanh(raw)

    def _forward(self, x: Tensor) -> Tensor:
        h = self._features(x)
        if self.kind == "additive":
            return x + self._shift(h)
        return torch.addcmul(self._shift(h), x, self._log_scale(h).exp())

    def _inverse(self, y: Tensor) -> Tensor:
        h = self._features(y)
        if self.kind == "additive":
            return y - self._shift(h)
        return (y - self._shift(h)) * (-self._log_scale(h)).exp()

    def _log_abs_det(self, x: Tensor) -> Tensor:
        if self.kind == "additive":
            return x.new_zeros(len(x))
        return self._log_scale(self._features(x)).sum(-1)

    def extra_repr(self) -> str:
        """Show what passes."""
        return f"{self.kind}, passed={self.reads.argmax(-1).tolist()}"
