"""Charts, short texts and the size of a generator's page, whatever its card says."""

import re

import pytest
import torch
from browsing import learned

from infomin.core.page import text
from infomin.export import page, told
from infomin.export.page import charts
from infomin.export.page.channels import Channel
from infomin.export.sample import Sample

pytestmark = pytest.mark.usefixtures("single")

I_NCE = {"value": 1.5, "low": 1.4, "high": 1.6, "cap": 4.85, "images": 128}


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "high"), [(3, 1), (16, 1), (40, 4095)])
def test_no_page_is_larger_than_it_may_be(tmp_path, channels, high):
    """Noise is what no picture format makes small, and a card can be full of text."""
    text = "<" * 999
    g = learned(channels, value_range=(0, high), channel_names=[text[:64]] * channels)
    sample = Sample.of(g, high * torch.rand(12, channels, 96, 96), "noise")
    full = {f"{i}{text}": {f"{j}{text}": text for j in range(99)} for i in range(99)}
    full |= {str(i): text for i in range(99)} | {"curve": [[i, 0.1] for i in range(1000)]}
    page.write(g, full | {"data": text, "i_nce": I_NCE}, {}, tmp_path, sample)
    assert 100_000 < (tmp_path / "card.html").stat().st_size < 1_500_000


@pytest.mark.parametrize(
    "curve",
    [
        None, "text", 5, {}, [], [1, 2], [[1]], [[1, 2, 3]], [[1, "2"]], [[1, None]], [[True, 1]],
        [[1, float("nan")]], [[1, float("inf")]], [[1, 10**400]], [[1, 1]] * 1001,
    ],
)  # fmt: skip
def test_a_curve_that_is_none_is_not_drawn(curve):
    assert told.curve({"curve": curve, "i_nce": I_NCE}) is None


@pytest.mark.parametrize("told_cap", [None, {}, {"cap": "4"}, {"cap": float("inf")}, [4.85]])
def test_a_curve_is_drawn_without_a_cap_too(told_cap):
    curve = told.curve({"curve": [[20, 1.0], [10, 0.5]], "i_nce": told_cap})
    assert curve == ([(10, 0.5), (20, 1.0)], None)
    drawn = charts.progress(curve, None)
    assert "cap log K" not in drawn and drawn.count('<path class="line') == 1
    assert told.i_nce({"i_nce": told_cap}) is None


@pytest.mark.parametrize("points", [[[0, 0]], [[5, -2.0]], [[0, -1e8], [1e8, 1e8]]])
def test_any_curve_of_numbers_fits_its_chart(points):
    curve = told.curve({"curve": points, "i_nce": I_NCE})
    drawn = charts.progress(curve, told.i_nce({"i_nce": I_NCE}))
    path = re.search(r'<path class="line line-1" d="([^"]*)"', drawn)[1]
    places = [float(v) for v in re.findall(r"-?[\d.]+", path.split("h")[0])]
    assert all(0 <= v <= 460 for v in places) and "nan" not in drawn


def test_a_histogram_counts_every_value_once():
    values = torch.cat([torch.full((30,), -1.0), torch.full((10,), 3.0)])
    drawn = charts.histogram(Channel.of("view 1", 0, values))
    first, *rest = re.search(r'class="bars" d="M12.0 108(.*?)Z"', drawn)[1].split("H")
    heights = [108 - float(first[1:]), *(108 - float(r.split("V")[1]) for r in rest)]
    assert heights[0] == 100 and heights[79] == pytest.approx(100 / 3, abs=0.1)
    assert not any(heights[1:79])


@pytest.mark.parametrize("value", [0.5, -3.0, 4095.0])
def test_a_channel_that_never_changes_is_drawn(value):
    channel = Channel.of("view 1", 0, torch.full((9,), value))
    assert charts.histogram(channel) and channel.grey(channel.values).isfinite().all()


def test_values_of_a_card_are_short():
    for value, words in (
        (0.00012345, "0.0001234"), (-2, "−2"), (True, "yes"), (None, "none"), ([], "none"),
        ([1, 2.5], "1, 2.5"), ({"a": 1}, "…"), ([[1], {}], "…, …"), ("a" * 999, "a" * 99 + "…"),
        (list(range(99)), ", ".join(map(str, range(16))) + ", …"),
    ):  # fmt: skip
        assert text.short(value) == words
    assert text.span(-0.8469, 0.8307) == "−0.85 to 0.83"
    assert text.span(0, 4095) == "0 to 4095" and text.span(0, 2e-5) == "0.0000000 to 0.0000200"
