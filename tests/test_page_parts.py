"""Charts, short texts and the size of a generator's page, for any card."""

import re
from xml.etree import ElementTree

import pytest
import torch
from browsing import learned

from infomin.core.page import text
from infomin.export import card_text, page
from infomin.export.page import charts
from infomin.export.page.channels import Channel
from infomin.export.sample import Sample

pytestmark = pytest.mark.usefixtures("single")

I_NCE = {"value": 1.5, "low": 1.4, "high": 1.6, "cap": 4.85, "images": 128}


def parsed(chart):
    """Parse a chart, as XML: balanced, escaped, and with a title."""
    root = ElementTree.fromstring(chart.replace("xlink:href", "href"))
    assert root.get("aria-label") and root.get("viewBox") and "nan" not in chart
    return root


@pytest.mark.slow
@pytest.mark.parametrize(("channels", "high"), [(3, 1), (40, 4095)])
def test_no_page_is_larger_than_its_limit(tmp_path, channels, high):
    """No picture format compresses noise, and a card can be full of text."""
    text = "<" * 999
    g = learned(channels, value_range=(0, high), channel_names=[text[:64]] * channels)
    sample = Sample.of(g, high * torch.rand(12, channels, 96, 96), "noise")
    full = {f"{i}{text}": {f"{j}{text}": text for j in range(99)} for i in range(99)}
    full |= {str(i): text for i in range(99)} | {"curve": [[i, 0.1] for i in range(1000)]}
    page.write(g, full | {"data": text, "i_nce": I_NCE}, {}, tmp_path, sample)
    assert 100_000 < (tmp_path / "card.html").stat().st_size < page.MAX_BYTES


@pytest.mark.parametrize(
    "curve",
    [
        None, "text", 5, {}, [], [1, 2], [[1]], [[1, 2, 3]], [[1, "2"]], [[1, None]], [[True, 1]],
        [[1, float("nan")]], [[1, float("inf")]], [[1, 10**400]], [[1, 1]] * 1001,
    ],
)  # fmt: skip
def test_an_invalid_curve_is_not_drawn(curve):
    assert card_text.i_nce_curve({"curve": curve, "i_nce": I_NCE}) is None


@pytest.mark.parametrize("i_nce", [None, {}, {"cap": "4"}, {"cap": float("inf")}, [4.85]])
def test_a_curve_is_drawn_without_a_cap_too(i_nce):
    curve = card_text.i_nce_curve({"curve": [[20, 1.0], [10, 0.5]], "i_nce": i_nce})
    assert curve == ([(10, 0.5), (20, 1.0)], None)
    assert "cap log K" not in charts.progress(curve, None)
    assert card_text.held_out_i_nce({"i_nce": i_nce}) is None


@pytest.mark.parametrize("points", [[[0, 0]], [[5, -2.0]], [[0, -1e8], [1e8, 1e8]]])
def test_any_curve_of_numbers_fits_its_chart(points):
    training = {"curve": points, "i_nce": I_NCE}
    curve, held_out = card_text.i_nce_curve(training), card_text.held_out_i_nce(training)
    chart = charts.progress(curve, held_out)
    words = [text.text for text in parsed(chart).iter("text")]
    assert {"cap log K = 4.85", "held out", "training batches"} <= {*words}
    assert set(re.findall(r"#[0-9a-f]{6}", chart)) <= {"#000000"}, "colours are variables"


def test_a_histogram_counts_every_value_once():
    values = torch.cat([torch.full((30,), -1.0), torch.full((10,), 3.0)])
    chart = charts.histogram(Channel.of("view 1", 0, values))
    assert parsed(chart).get("aria-label") == "Histogram of view 1, from -1 to 3"
    (bars,) = (p.get("d") for p in parsed(chart).iter("path") if "line-1" in p.get("style"))
    heights = [float(y) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", bars)]
    bottom, top = max(heights), min(heights)
    assert sorted(bottom - h for h in {*heights}) == pytest.approx(
        [0, (bottom - top) / 3, bottom - top], abs=0.1
    )


def test_names_in_a_chart_are_escaped():
    level = torch.linspace(0, 1, 5)
    chart = charts.grey_axis(level, [("<script>&$x$", level)] * 3)
    assert "<script>&$x$" in [text.text for text in parsed(chart).iter("text")]


@pytest.mark.parametrize("value", [0.5, -3.0, 4095.0])
def test_a_channel_that_never_changes_is_drawn(value):
    channel = Channel.of("view 1", 0, torch.full((9,), value))
    assert parsed(charts.histogram(channel)) and channel.grey(channel.values).isfinite().all()


def test_values_of_files_are_short():
    for value, words in (
        (0.00012345, "0.0001234"), (-2, "−2"), (True, "yes"), (None, "none"), ([], "none"),
        ([1, 2.5], "1, 2.5"), ({"a": 1}, "…"), ([[1], {}], "…, …"), ("a" * 999, "a" * 99 + "…"),
        (list(range(99)), ", ".join(map(str, range(16))) + ", …"),
    ):  # fmt: skip
        assert text.as_text(value) == words
    assert text.range_text(-0.8469, 0.8307) == "−0.85 to 0.83"
    assert text.range_text(0, 4095) == "0 to 4095"
    assert text.range_text(0, 2e-5) == "0.0000000 to 0.0000200"
