"""A rival of the flow: its couplings as 1x1 convolutions on images."""

import torch
from torch import Tensor, nn

PASSED = ((0,), (1, 2))
"""Channels that each coupling of a block passes unchanged."""


class Convolutions(nn.Module):
    """Affine couplings from channel 1 to channels 2 and 3, and back.

    Arguments:
        blocks: pairs of couplings.
        hidden: width of the two hidden layers.
    """

    def __init__(self, blocks: int, hidden: int) -> None:
        super().__init__()
        self.passed = PASSED * blocks
        self.nets = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(len(passed), hidden, 1),
                nn.ReLU(),
                nn.Conv2d(hidden, hidden, 1),
                nn.ReLU(),
                nn.Conv2d(hidden, 2 * (3 - len(passed)), 1),
            )
            for passed in self.passed
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images to images."""
        for passed, net in zip(self.passed, self.nets, strict=True):
            first, rest = x[:, :1], x[:, 1:]
            a, b = (first, rest) if passed == (0,) else (rest, first)
            shift, log_scale = net(a).chunk(2, 1)
            b = torch.addcmul(shift, b, (2 * torch.tanh(log_scale)).exp())
            x = torch.cat([a, b] if passed == (0,) else [b, a], 1)
        return x
