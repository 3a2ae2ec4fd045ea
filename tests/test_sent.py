"""What augmentation sends to another device: what was drawn, and nothing that is made of it.

Tensors of the device `meta` have shapes and no values. They stand for those of a GPU, where one
batch of 512 at 96 pixels cost 75 MB of interpolation made on the CPU and copied.
"""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from infomin.augment import CropFlip, JigSaw, Pipeline, RandAugment
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.data import Batches

N, SIDE = 64, 48
JITTER = ColorJitter(0.8, 0.8, 0.8, 0.2, jitter=0.8, gray=0.2, blur=0.5)
MOTIONS = RandAugment(["rotate", "shear_x", "translate_y", "invert", "sharpness"], p=1.0)
AUGMENTS = {
    "larger": CropFlip(SIDE),
    "smaller": CropFlip(SIDE // 2),
    "whole": CropFlip(SIDE, (1, 1), (1, 1)),
    "colours": Pipeline(CropFlip(SIDE), JITTER),
    "motions": Pipeline(CropFlip(SIDE), JITTER, MOTIONS),
    "puzzle": JigSaw(SIDE),
}


class Sent(TorchDispatchMode):
    """Counts the bytes that are copied from the CPU, and what the device is told to do."""

    bytes = orders = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        given = args[0] if args else None
        self.orders += any(isinstance(t, torch.Tensor) and t.is_meta for t in tree_leaves(made))
        if isinstance(given, torch.Tensor) and isinstance(made, torch.Tensor):
            self.bytes += given.nbytes if (given.is_cpu and made.is_meta) else 0
        return made


@pytest.mark.parametrize("name", AUGMENTS)
def test_only_what_was_drawn_is_sent(name):
    images = torch.empty(N, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    augment = AUGMENTS[name]
    drawn = augment.sample(N, SIDE, SIDE, rng.generator(0, "test"))
    with Sent() as sent:
        made = augment.apply(images, drawn)
    assert made.is_meta and 0 < sent.bytes <= 512 * N


@pytest.mark.parametrize("name", [name for name in AUGMENTS if name != "puzzle"])
def test_a_device_is_told_as_much_for_many_samples_and_views_as_for_few(name):
    images = torch.empty(512, 3, SIDE, SIDE, dtype=torch.uint8, device="meta")
    orders = []
    for batch, number in ((256, 1), (256, 3), (512, 1)):
        with Sent() as sent:
            Batches(512, batch, 0, "test").crops(images, 0, AUGMENTS[name], number)
        orders.append(sent.orders)
    assert max(orders) - min(orders) <= 2, "the views are taken apart"
