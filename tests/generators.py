"""Generators and images that tests share."""

from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from infomin.generator import ViewGenerator


@contextmanager
def float32():
    """Seed, and make float32 the default: for fixtures of a module, before those of a test."""
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(before)


def learned(channels=3, std=0.2, **options):
    """A generator that has been moved away from the identity."""
    g = ViewGenerator(channels, **options)
    for p in g.parameters():
        nn.init.normal_(p, std=std)
    return g.eval().requires_grad_(False)


def photograph(height=120, width=160):
    """A real photograph, `h w 3`, uint8: the astronaut inside the scikit-image wheel."""
    from skimage import data

    image = data.astronaut()
    return np.ascontiguousarray(image[20 : 20 + height, 150 : 150 + width])


def batch(image):
    """`h w c` uint8 as `1 c h w` float32 in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
