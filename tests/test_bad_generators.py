"""A generator that does not fit, or a wrong way to combine it, is one line of a script."""

import pytest
from refusal import edit, only_line, spoil
from running import Script

from infomin import ViewGenerator

pytestmark = pytest.mark.usefixtures("single")

SMALL = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke")


@pytest.mark.parametrize("wrong", ["channels", "range", "names", "card", "weights", "missing"])
def test_a_wrong_generator_of_a_script_is_one_line(tmp_path, wrong):
    options = {"channels": {"channels": 4}, "range": {"value_range": (0, 4095)}}
    options["names"] = {"channel_names": "BGR"}
    saved = ViewGenerator(**options.get(wrong, {})).save(tmp_path / "generator")
    if wrong == "card":
        edit(saved / "card.json", training={"i_nce": 0})
    elif wrong == "weights":
        spoil(saved / "model.safetensors", "truncated")
    elif wrong == "missing":
        saved = tmp_path / "nowhere"
    message = {
        "channels": "takes 4 channels within [0.0, 1.0] (channel_0, channel_1, channel_2, ",
        "range": "takes 3 channels within [0.0, 4095.0] (R, G, B), data scenes has 3 within [0.0, ",
        "names": "within [0.0, 1.0] (B, G, R), data scenes has 3 within [0.0, 1.0] (R, G, B); dec",
        "card": "is not the card that was saved with model.safetensors",
        "weights": "is damaged",
        "missing": "expected a folder or a name of this package, got",
    }
    script = Script(tmp_path, "pretrain", *SMALL, "views=learned", f"views.generator={saved}")
    assert message[wrong] in only_line(script)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("order=first", "views.combine.order: expected one of after, before, got 'first'"),
        ("p=2", "views.combine.p: expected a probability, got 2"),
        ("views=[2]", "views.combine.views: expected all, or some of [0, 1], got [2]"),
    ],
)
def test_a_wrong_combination_of_a_script_is_one_line(tmp_path, override, message):
    saved = ViewGenerator().save(tmp_path / "generator")
    overrides = (
        "views=learned",
        f"views.generator={saved}",
        "views.table=false",
        "photometric=simclr",
    )
    script = Script(tmp_path, "pretrain", *SMALL, *overrides, *f"views.combine.{override}".split())
    assert message in only_line(script)
