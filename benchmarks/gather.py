"""A rival of the memory bank: the authors' code, which gathers rows for every sample.

After CMC's NCEAverage and NCECriterion (https://github.com/HobbitLong/CMC, BSD-2), in today's torch
and on any device. It samples K + 1 indices per sample, first the sample's index, gathers
B x (K + 1) rows of each bank, multiplies them in a batch, and updates the rows of the batch.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPSILON = 1e-7


class GatherBank(nn.Module):
    """Two banks and the loss of a batch of two views.

    Arguments:
        samples: n.
        width: d.
        negatives: K.
        temperature, momentum: of scores and rows.
        softmax: cross-entropy instead of noise-contrastive estimation.
    """

    def __init__(
        self,
        samples: int,
        width: int,
        negatives: int,
        temperature: float = 0.07,
        momentum: float = 0.5,
        softmax: bool = False,
    ) -> None:
        super().__init__()
        self.samples, self.negatives, self.softmax = samples, negatives, softmax
        self.temperature, self.momentum = temperature, momentum
        bound = 1 / math.sqrt(width / 3)
        for name in ("first", "second"):
            self.register_buffer(name, torch.rand(samples, width) * 2 * bound - bound)
        self.z: list[float] = [-1.0, -1.0]

    def forward(self, z1: Tensor, z2: Tensor, index: Tensor) -> Tensor:
        """Return the loss, and update the rows of the batch."""
        b = len(index)
        indices = torch.randint(self.samples, (b, self.negatives + 1))  # a uniform alias
        indices[:, 0] = index
        first, second = self.first, self.second
        assert isinstance(first, Tensor) and isinstance(second, Tensor)
        loss = self._loss(z1, second, indices, 0) + self._loss(z2, first, indices, 1)
        with torch.no_grad():
            for rows, z in ((first, z1), (second, z2)):
                moved = (
                    rows.index_select(0, index).mul_(self.momentum).add_(z * (1 - self.momentum))
                )
                rows.index_copy_(0, index, moved / moved.pow(2).sum(1, keepdim=True).sqrt())
        return loss

    def _loss(self, z: Tensor, rows: Tensor, indices: Tensor, side: int) -> Tensor:
        b, m = len(z), self.negatives
        weight = rows.index_select(0, indices.view(-1)).view(b, m + 1, -1)
        scores = torch.bmm(weight, z.view(b, -1, 1)).squeeze(2) / self.temperature
        if self.softmax:
            return F.cross_entropy(scores, torch.zeros(b, dtype=torch.long))
        out = scores.exp()
        if self.z[side] < 0:
            self.z[side] = out.mean().item() * self.samples
        out = out / self.z[side]
        noise = m / self.samples
        positive = out[:, 0] / (out[:, 0] + noise + EPSILON)
        others = noise / (out[:, 1:] + noise + EPSILON)
        return -(positive.log().sum() + others.log().sum()) / b
