"""The page of a generator, used in Chromium as a person would."""

import json
import re

import numpy as np
import pytest
import torch
from browsing import CONTRAST, canvases, learned, photograph, sample_of, wait_for
from einops import rearrange
from generators import float32
from PIL import Image

from infomin import load_generator
from infomin.export import export, page
from infomin.export.formats import FORMATS, lut
from infomin.export.sample import Sample

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

I_NCE = {"value": 1.5, "low": 1.4, "high": 1.6, "cap": 4.85, "images": 128}
TRAINING = {
    "data": "photos",
    "objective": "semi",
    "seed": 3,
    "i_nce": I_NCE,
    "curve": [[10, 0.5], [20, 2.5], [30, 1.75]],
    "settings": {"_target_": "somewhere", "lr_g": 2e-3},
}


@pytest.fixture(scope="module")
def page_of_g(tmp_path_factory):
    """A generator, its sample, and a folder with its page."""
    with float32(), pytest.MonkeyPatch.context() as patch:
        g = learned(groups=[[1], [2, 0]])
        sample, folder = sample_of(g), tmp_path_factory.mktemp("page")
        patch.delitem(lut.BOUNDS, 65)
        page.write(g, TRAINING, FORMATS["lut"].write(g, folder, sample), folder, sample)
    return g, sample, folder


@pytest.fixture
def opened(open_tab):
    """Open the page in a folder."""
    return lambda folder, *size, **options: open_tab(folder / "card.html", *size, **options)


def views_of(g, levels):
    """Every channel of every view of an image of 8 bits, `h w c`."""
    x = rearrange(torch.from_numpy(levels), "h w c -> 1 c h w").float() / 255
    return torch.cat(g(x), 1)[0]


def assert_shows(tab, g, levels):
    """Compare canvases with g: the image itself, and every channel within 3 of 255 levels."""
    source, *shown = canvases(tab)
    assert np.array_equal(source[..., :3], levels)
    channels = json.loads(tab.locator("#table").text_content())["channels"]
    assert len(shown) == len(channels) == 3
    for image, y, channel in zip(shown, views_of(g, levels), channels, strict=True):
        grey = (y - channel["black"]) / (channel["white"] - channel["black"])
        expected = 255 * grey.clamp(0, 1).numpy()
        assert np.abs(image[..., :3] - expected[..., None]).max() <= 3, channel["name"]
        assert np.ptp(expected) > 200 and (image[..., 3] == 255).all()


def test_an_image_is_chosen_or_dropped_and_its_views_are_those_of_g(page_of_g, opened, tmp_path):
    g, _, folder = page_of_g
    tab, file = opened(folder), photograph(tmp_path / "astronaut.png")
    wait_for(tab, "image 1:")
    tab.set_input_files("#file", file)
    wait_for(tab, "astronaut.png: 280 × 240 pixels.")
    assert_shows(tab, g, np.array(Image.open(file)))
    assert tab.locator("#picks [aria-pressed=true]").count() == 0

    before = list(canvases(tab))
    (tmp_path / "notes.png").write_text("no image")
    tab.set_input_files("#file", tmp_path / "notes.png")
    wait_for(tab, "notes.png: the browser cannot read this as an image.")
    assert all(map(np.array_equal, before, canvases(tab))), "nothing changes"

    Image.new("RGBA", (4000, 2000), (10, 200, 30, 0)).save(tmp_path / "large.png")
    tab.set_input_files("#file", tmp_path / "large.png")
    wait_for(tab, "large.png: 2828 × 1414 pixels, made smaller.")
    readout = tab.locator("#readout").text_content()
    assert "R 255 G 255 B 255" in readout, "what is transparent lies on white"

    drop = """bytes => {
      const held = new DataTransfer();
      held.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
      return document.querySelector("h1").dispatchEvent(
        new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true }));
    }"""
    assert not tab.evaluate(drop, list(file.read_bytes())), "the browser would open the file"
    wait_for(tab, "dropped.png:")
    assert_shows(tab, g, np.array(Image.open(file)))


def test_everything_can_be_reached_with_the_keyboard(page_of_g, opened, tmp_path):
    g, _, folder = page_of_g
    tab = opened(folder)
    wait_for(tab, "image 1:")

    def reach(selector):
        for _ in range(30):
            tab.keyboard.press("Tab")
            if tab.evaluate("s => document.activeElement.matches(s)", selector):
                width = "getComputedStyle(document.activeElement).outlineWidth"
                assert tab.evaluate(width) == "3px", "focus can be seen"
                return
        raise AssertionError(f"{selector} was never reached")

    reach("#file")
    reach("#picks button:nth-child(3)")
    tab.keyboard.press("Enter")
    wait_for(tab, "image 3:")
    assert tab.locator("#picks [aria-pressed=true] img").get_attribute("alt") == "image 3"
    tab.set_input_files("#file", photograph(tmp_path / "astronaut.png"))
    wait_for(tab, "astronaut.png:")
    levels = np.array(Image.open(tmp_path / "astronaut.png"))

    tab.focus("#picks button:last-child")
    reach("#stage")
    for keys, x, y in (
        (["ArrowRight"] * 2, 142, 120),
        (["ArrowUp", "Shift+ArrowLeft"], 132, 119),
        (["Shift+ArrowDown"] * 20, 132, 239),
    ):
        for key in keys:
            tab.keyboard.press(key)
        place, values = tab.locator("#readout[aria-live]").text_content().split(": ", 1)
        assert place == f"x {x}, y {y}"
        red, green, blue = levels[y, x]
        assert values.startswith(f"R {red} G {green} B {blue}; view 1: ")
        read = [float(v.replace("−", "-")) for v in re.findall(r": ([−\d.]+)", values)]
        assert read == pytest.approx(views_of(g, levels)[:, y, x].tolist(), abs=0.02)
        shown = tab.locator("#stage .value").all_text_contents()
        assert [float(v.replace("−", "-")) for v in shown[1:]] == read


def test_values_are_read_under_the_pointer(page_of_g, opened, tmp_path):
    tab = opened(page_of_g[2])
    tab.set_input_files("#file", photograph(tmp_path / "astronaut.png"))
    wait_for(tab, "astronaut.png:")
    canvas = tab.locator("canvas[data-channel='1']")
    box = canvas.bounding_box()
    canvas.hover(position={"x": 0.25 * box["width"], "y": 0.75 * box["height"]})
    readout = tab.locator("#readout").text_content()
    x, y = map(int, re.match(r"x (\d+), y (\d+): R", readout).groups())
    assert abs(x - 70) <= 2 and abs(y - 180) <= 2
    mark = tab.locator(".cursor").nth(2).bounding_box()
    assert mark["x"] + mark["width"] / 2 == pytest.approx(box["x"] + 0.25 * box["width"], abs=2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 400, 1280])
def test_it_can_be_read(page_of_g, opened, width, scheme):
    tab = opened(page_of_g[2], width, color_scheme=scheme)
    wait_for(tab, "image 1:")
    tab.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true })")
    assert tab.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (min(map(int, re.findall(r"\d+", ground))) > 200) == (scheme == "light")
    contrasts = tab.evaluate(CONTRAST)
    assert len(contrasts) > 60
    assert [text for ratio, text in contrasts if ratio < 4.5] == []
    letters = (
        "[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height)"
    )
    assert min(tab.evaluate(letters)) > (8 if width == 320 else 10)
    unnamed = "img:not([alt]), img[alt=''], svg:not([aria-label]), canvas:not([aria-label])"
    assert tab.locator(unnamed).count() == 0


def test_what_strangers_write_is_shown_and_never_run(opened, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "_POINTS", 5)
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'</style>"
    g = learned(channel_names=[attack, "{{ 7 * 7 }}", "B"])
    training = {"data": attack, "objective": attack, "seed": "\ud800"}
    training |= {attack: attack, "deep": {attack: [attack]}, "i_nce": {"value": attack}}
    folder, sample = tmp_path / "page", sample_of(g, 8)
    folder.mkdir()
    sample = Sample(sample.images, sample.views, attack)
    page.write(g, training, {}, folder, sample)
    tab = opened(folder)
    assert tab.title().startswith(f"View generator: {attack}")
    assert tab.locator("h1").text_content().startswith(attack)
    assert "{{ 7 * 7 }}" in tab.locator("header").text_content()
    assert tab.locator("script:not([type])").count() == 1
    assert tab.locator("[onerror]").count() == 0
    policy = tab.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "script-src 'sha256-" in policy
    assert attack[:20] in tab.locator("#readout").text_content()


def test_other_images_have_a_page_without_an_explorer(opened, tmp_path):
    g = learned(4, channel_names=["R", "G", "B", "depth"])
    saved = g.save(tmp_path / "g", {"data": "rooms", "objective": "sup", "seed": 0})
    folder = tmp_path / "out"
    export(saved, folder, ["artifact"], sample_of(g, 8).images, "photos")
    tab = opened(folder)
    assert tab.locator("#file, #stage, script").count() == 0
    text = tab.locator("main").text_content()
    assert "Not for this generator: images in a browser have 3 channels" in text
    assert "The card has no curve of I_NCE" in text
    assert tab.locator(".gallery img[alt^='depth of image']").count() == 8
    assert tab.locator(".gallery img.color").count() == 8
    assert tab.locator(".histograms svg").count() == 4
    assert load_generator(folder).channels == 4


def test_numbers_are_those_of_the_check_the_card_and_the_exports(page_of_g):
    g, sample, folder = page_of_g
    html = (folder / "card.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", html))
    check = g.check(sample.images)
    assert f"{check.log_abs_det:.3f}"[:4] in text
    order = [channel for group in g.groups for channel in group]
    assert f"view 1 {check.channel_mean[order[0]]:.2f}".replace("-", "−") in text
    assert "cap log K = 4.85" in text and "I_NCE is 1.50 nats" in text and "1.40 to 1.60" in text
    assert "generator_33.cube" in text and "lr g 0.002" in text and "somewhere" not in text
    assert "learned on photos by the objective semi , with seed 3" in text
