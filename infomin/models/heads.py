"""Heads: from the features of a backbone to an embedding, linear or with one hidden layer.

The hidden layer is as wide as the features, 2048-2048-128 for a ResNet-50 (MoCo v2,
arXiv:2003.04297; the authors' code). Embeddings become unit vectors in the encoder, not here.
"""

from torch import nn

from infomin.core.errors import one_of

HEADS = ("linear", "mlp")


def build_head(kind: str, width: int, dim: int) -> nn.Module:
    """Build a head.

    Arguments:
        kind: one of HEADS.
        width: of the features.
        dim: of the embedding.

    Raises:
        InputError: for an unknown kind.
    """
    one_of("encoder.head", kind, HEADS)
    if kind == "linear":
        return nn.Linear(width, dim)
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))
