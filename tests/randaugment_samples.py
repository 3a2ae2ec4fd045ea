"""Fixed parameters and images for the tests of RandAugment."""

import torch
from torch import tensor

from infomin.augment import RandAugmentParams


def fixed_params(levels, negative=False):
    """Parameters that apply the only operation of a list to each sample at its level."""
    n = len(levels)
    return RandAugmentParams(
        torch.zeros(n, 1, dtype=torch.long),
        torch.ones(n, 1, dtype=torch.bool),
        tensor(levels, dtype=torch.get_default_dtype()).view(n, 1),
        torch.full((n, 1), negative),
    )


def eight_bits(n=9, channels=3, height=24, width=32):
    """Images of 8 bits: smooth with a patch of noise; one is flat, one has few levels."""
    coarse = torch.rand(n, channels, 4, 4)
    smooth = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    smooth[:, :, :8, :8] = torch.rand(n, channels, 8, 8)
    images = (255 * smooth).round().byte()
    images[1], images[2] = 100, images[2] // 80 * 80
    return images
