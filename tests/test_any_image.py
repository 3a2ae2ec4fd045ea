"""Images that are no 8-bit RGB go through all stages: their range and names reach the card."""

import pytest
import torch
from real import DATA, needs
from running import Script
from stacks import NAMES, six_channel_folder

from infomin import data, load_generator
from infomin.augment import resize
from infomin.core.errors import InputError

pytestmark = [pytest.mark.usefixtures("single"), pytest.mark.slow]

SMALL = ("budget=smoke", "budget.size=16", "labels.share=1", "game.batch=32", "game.steps=6")
SHORT = ("budget=smoke", "budget.size=16", "pretrain.batch=32", "probe.epochs=1")


def through_all_stages(tmp_path, overrides, mode="semi"):
    """Learn views, pretrain on them and evaluate; return the generator."""
    options = ("game.labelled_batch=16", f"mode={mode}")
    game = Script(tmp_path, "learn_views", *overrides, *SMALL, *options)
    assert game.wait() == 0, game.err
    trained = Script(tmp_path, "pretrain", *overrides, *SHORT, "views=learned")
    assert trained.wait() == 0, trained.err
    raw = Script(tmp_path, "pretrain", *overrides, *SHORT, "views=raw")
    assert raw.wait() == 0, raw.err
    judged = Script(tmp_path, "linear_eval", *overrides, *SHORT[:2], "probe.epochs=1")
    assert judged.wait() == 0, judged.err
    return load_generator(game.folders[0] / "generator")


def test_six_channels_of_12_bits(tmp_path):
    root = six_channel_folder(tmp_path / "stacks")
    overrides = ["data=image_folder", f"data.root={root}", f"data.cache={tmp_path / 'cache'}"]
    overrides += ["data.value_range=[0,4095]", f"data.channel_names=[{','.join(NAMES)}]"]
    g = through_all_stages(tmp_path, overrides)
    assert (g.channels, g.value_range, g.channel_names) == (6, (0, 4095), NAMES)
    dataset = data.image_folder(str(root), 16, value_range=[0, 4095], cache=str(tmp_path / "cache"))
    x = resize(dataset.test.images, 16)
    assert [v.shape for v in g(x)] == [(24, 1, 16, 16), (24, 5, 16, 16)]
    assert g.check(x).share_out_of_range == 0 and g.check(x).round_trip_error < 1
    with pytest.raises(InputError, match=r"takes values within \[0.0, 4095.0\], got .* to 8"):
        g(x * 2)
    for wrong in ("data.value_range=null", "data.channel_names=null"):
        for name, kind in (("pretrain", "views.generator"), ("linear_eval", "encoder")):
            if (name, wrong) == ("linear_eval", "data.channel_names=null"):
                continue  # the newest encoder has raw views, which take any names
            options = SHORT if name == "pretrain" else SHORT[:2]
            views = ["views=learned"] if name == "pretrain" else []
            script = Script(tmp_path, name, *overrides, wrong, *options, *views)
            assert script.wait() == 2
            assert script.err.startswith(f"error: {kind}: ") and "takes 6 channels" in script.err


@needs("nyuv2")
def test_real_rooms_in_colour_and_depth(tmp_path):
    for split, count in (("train", 120), ("test", 60)):
        for part in ("rgb", "depth", "label40"):
            (tmp_path / "rooms" / split / part).mkdir(parents=True)
            for path in sorted((DATA / "nyuv2" / split / part).iterdir())[:count]:
                (tmp_path / "rooms" / split / part / path.name).symlink_to(path)
    cache = str(tmp_path / "cache")
    overrides = ["data=nyuv2", f"data.root={tmp_path / 'rooms'}", f"data.cache={cache}"]
    overrides += ["data.per_class=10", "data.patches=6"]
    g = through_all_stages(tmp_path, overrides)
    assert (g.value_range, g.channel_names) == ((0, 1), ("R", "G", "B", "depth"))
    rooms = data.nyuv2(str(tmp_path / "rooms"), 16, patches=6, per_class=10, cache=cache)
    v1, v2 = g(rooms.test.images / 255)
    assert (v1.shape[1], v2.shape[1]) == (1, 3) and torch.isfinite(v2).all()
    colors = Script(tmp_path, "pretrain", *overrides, "data.channels=rgb", *SHORT, "views=learned")
    assert colors.wait() == 2
    assert "(R, G, B, depth), data nyuv2 has 3 within [0.0, 1.0] (R, G, B)" in colors.err
