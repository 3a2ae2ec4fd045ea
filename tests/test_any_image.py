"""Images that are no 8-bit RGB go through all stages: their range and names reach the card."""

import pytest
import torch
from composing import composed
from real import DATA, needs
from refusal import refused
from stacks import NAMES, six_channel_folder

from infomin import data
from infomin.augment import resize
from infomin.cli.evaluate import evaluate
from infomin.cli.learn_views import run_game
from infomin.cli.pretrain import run_pretraining

pytestmark = [
    pytest.mark.usefixtures("single"),
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),
]

SIZE = ("budget=smoke", "budget.size=16")
GAME = ("labels.share=1", "game.batch=16", "game.labelled_batch=8", "game.steps=4", "mode=semi")
SHORT = ("pretrain.batch=32", "pretrain.epochs=1", "views=learned")


def through_all_stages(words):
    """Learn views, pretrain on them and evaluate; return the generator."""
    g = run_game(composed("learn_views", *words, *SIZE, *GAME))
    run_pretraining(composed("pretrain", *words, *SIZE, *SHORT))
    evaluate.__wrapped__(composed("evaluate", *words, *SIZE))
    return g


def test_six_channels_of_12_bits(tmp_path):
    root, cache = six_channel_folder(tmp_path / "stacks", count=30), str(tmp_path / "cache")
    words = [f"out={tmp_path / 'runs'}", "data=image_folder", f"data.root={root}"]
    words += [f"data.cache={cache}", "data.value_range=[0,4095]"]
    words += [f"data.channel_names=[{','.join(NAMES)}]"]
    g = through_all_stages(words)
    assert (g.channels, g.value_range, g.channel_names) == (6, (0, 4095), NAMES)
    names = {
        run.name[16:]
        for kind in ("learn_views", "pretrain")
        for run in (tmp_path / "runs" / kind).iterdir()
    }
    assert names == {"semi-channels-s0", "learned-channels-s0"}
    dataset = data.image_folder(str(root), 16, value_range=[0, 4095], cache=cache)
    x = resize(dataset.test.images, 16)
    assert [v.shape for v in g(x)] == [(12, 1, 16, 16), (12, 5, 16, 16)]
    assert g.check(x).share_out_of_range == 0 and g.check(x).round_trip_error < 1
    with refused(r"takes values within \[0.0, 4095.0\], got .* to 8"):
        g(x * 2)
    encoder = run_pretraining(composed("pretrain", *words[:4], *SIZE, *SHORT))
    assert (encoder.value_range, encoder.channel_names) == ((0, 4095), NAMES)  # told by the card
    for wrong in ("data.value_range=[0,5000]", "data.channel_names=[a,b,c,d,e,f]"):
        with refused("^views.generator: .* takes 6 channels"):
            run_pretraining(composed("pretrain", *words, *SIZE, *SHORT, wrong))
        with refused("^encoder: .* takes 6 channels"):
            evaluate.__wrapped__(composed("evaluate", *words, *SIZE, wrong))


@needs("nyuv2")
def test_real_rooms_in_colour_and_depth(tmp_path):
    for split, count in (("train", 60), ("test", 30)):
        for part in ("rgb", "depth", "label40"):
            (tmp_path / "rooms" / split / part).mkdir(parents=True)
            for path in sorted((DATA / "nyuv2" / split / part).iterdir())[:count]:
                (tmp_path / "rooms" / split / part / path.name).symlink_to(path)
    cache = str(tmp_path / "cache")
    words = [f"out={tmp_path / 'runs'}", "data=nyuv2", f"data.root={tmp_path / 'rooms'}"]
    words += [f"data.cache={cache}", "data.per_class=10", "data.patches=6"]
    g = through_all_stages(words)
    assert (g.value_range, g.channel_names) == ((0, 1), ("R", "G", "B", "depth"))
    rooms = data.nyuv2(str(tmp_path / "rooms"), 16, patches=6, per_class=10, cache=cache)
    v1, v2 = g(rooms.test.images / 255)
    assert (v1.shape[1], v2.shape[1]) == (1, 3) and torch.isfinite(v2).all()
    with refused(r"\(R, G, B, depth\), data nyuv2 has 3 within \[0.0, 1.0\] \(R, G, B\)"):
        run_pretraining(composed("pretrain", *words, *SIZE, *SHORT, "data.channels=rgb"))
