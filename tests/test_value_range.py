"""Value ranges and channel names are parsed, and values are checked against a range."""

import pytest
import torch
from refusal import refused

from infomin.core.value_range import check_range, parse_channel_names, parse_range

WIDE = (-1000.0, 3000.0)


@pytest.mark.parametrize(
    "wrong", [(1, 0), (0, 0), (0, 1, 2), "01", 3, ("0", "1"), (0, float("inf"))]
)
def test_a_range_is_two_finite_numbers_in_order(wrong):
    with refused(r"data.value_range: expected \(low, high\) with low < high, got "):
        parse_range.__wrapped__(wrong, "data.value_range")  # past the type checks of the tests
    assert parse_range([-1000, 3000]) == WIDE


def test_names_are_one_per_channel():
    assert parse_channel_names(None, 3) == ("R", "G", "B")
    assert parse_channel_names(None, 2) == ("channel_0", "channel_1")
    assert parse_channel_names(["NIR", "R"], 2) == ("NIR", "R")
    with refused("data.channel_names: expected 4 names, got 2"):
        parse_channel_names(["NIR", "R"], 4, "data.channel_names")


@pytest.mark.parametrize("value", [-1000.39, -1000, 0, 3000, 3000.39])
def test_values_inside_the_range_or_within_rounding_pass(value):
    check_range(torch.tensor([0.0, value]), WIDE, "it")
    check_range(torch.tensor([]), WIDE, "it")


@pytest.mark.parametrize("value", [-1000.41, 3000.41, float("inf"), float("nan")])
def test_values_outside_the_range_are_refused_and_named(value):
    with refused(
        r"images: it takes values within \[-1000.0, 3000.0\], got .* to .*; scale or clip"
    ):
        check_range(torch.tensor([0.0, value, 1.0]), WIDE, "it")
