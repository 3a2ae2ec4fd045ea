"""Heads: from the features of a backbone to an embedding.

linear     one layer                                        (CMC, InstDis, MoCo v1)
mlp        a hidden layer as wide as the features           (MoCo v2, SimCLR, InfoMin Aug)
mlp_bn     a hidden layer of twice that, normalised         (BYOL: 2048-4096-256)
expander   two hidden layers as wide as the embedding       (VICReg: 2048-8192-8192-8192)
"""

from torch import nn

from infomin.core.errors import one_of

HEADS = ("linear", "mlp", "mlp_bn", "expander")


def build_head(kind: str, width: int, dim: int) -> nn.Module:
    """Build a head.

    Arguments:
        kind: one of `HEADS`.
        width: of the features.
        dim: of the embedding.

    Raises:
        InputError: for an unknown kind.
    """
    one_of("encoder.head", kind, HEADS)
    if kind == "linear":
        return nn.Linear(width, dim)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))
    if kind == "mlp_bn":
        return nn.Sequential(*_normalized(width, 2 * width), nn.Linear(2 * width, dim))
    return nn.Sequential(*_normalized(width, dim), *_normalized(dim, dim), nn.Linear(dim, dim))


def _normalized(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
