"""The decoder: which maps it reads, and what it refuses."""

import pytest
import torch

from infomin.models import Decoder


@pytest.mark.usefixtures("single")
def test_a_decoder_reads_the_maps_that_it_is_given_and_no_others():
    sizes, widths = [(9, 7), (5, 4), (2, 2)], [3, 4, 5]
    alone, all_three = Decoder([0, 0, 6], widths, 2), Decoder([2, 4, 6], widths, 2)
    maps = [torch.randn(2, c, *size) for c, size in zip((2, 4, 6), sizes, strict=True)]
    assert alone(maps[2:], sizes).shape == all_three(maps, sizes).shape == (2, 2, 9, 7)
    mixed = Decoder([2, 0, 6], widths, 2)
    assert mixed([maps[0], maps[2]], sizes).shape == (2, 2, 9, 7)
    counts = [layer[0].in_channels for layer in mixed.layers]
    assert counts == [2 + 4, 5, 6]
