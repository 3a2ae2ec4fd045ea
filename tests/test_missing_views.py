"""Folders that lack images of some views: who is there, what is judged, and what is refused."""

import numpy as np
import pytest
import torch
from PIL import Image
from refusal import refused
from running import Script
from sameness import same

from infomin import data
from infomin.augment import CropFlip
from infomin.core import presence
from infomin.core.files import read_json
from infomin.data import DataSet, ImageSet
from infomin.evaluation import extract, held_out_embeddings, held_out_i_nce, judge
from infomin.models import build_encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews, ModalityViews, WholeViews

pytestmark = pytest.mark.usefixtures("single")
NET = {"name": "fourconv", "size": 16, "dim": 8, "widths": [4, 8], "pools": 2}
LACKING = {"rgb": {1, 4, 6, 13}, "depth": {1, 2, 5, 14}, "heat": {0, 2, 3, 4, 6, 15}}


def write(root, per_class=8, side=16, lacking=LACKING):
    """Three sensors of the same samples, in two classes, without some files."""
    random, views = np.random.default_rng(0), {name: str(root / name) for name in lacking}
    for split in ("train", "val"):
        for i in range(2 * per_class):
            for name, missing in lacking.items():
                shape = (side, side, 3) if name == "rgb" else (side, side)
                pixels = random.integers(100, 256, shape, np.uint8) - 90 * (i % 2)
                path = root / name / split / "ab"[i % 2] / f"{i:02}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if i not in missing:
                    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return views


def read(views, tmp_path, **options):
    told = {"size": 16, "cache": str(tmp_path / "cache"), "allow_missing": True}
    return data.paired_folders(views, **told | options)


@pytest.fixture
def three(tmp_path):
    return write(tmp_path)


ORDER = [*range(0, 16, 2), *range(1, 16, 2)]
"""Samples as they are read: by class, then number."""


def test_what_is_there_is_read_and_the_rest_is_zeros(tmp_path, three):
    found = read(three, tmp_path)
    assert found.classes == ("a", "b") and found.groups == ((0, 1, 2), (3,), (4,))
    for part in (found.train, found.test):
        assert part.labels.tolist() == [0] * 8 + [1] * 8  # sample 1 has its label from heat
        expected = [[i not in missing for missing in LACKING.values()] for i in ORDER]
        assert part.present.tolist() == expected
        for group, there in zip(found.groups, part.present.T, strict=True):
            values = part.images[:, list(group)].flatten(1).sum(1)
            assert torch.equal(values > 0, there)
    assert found.lacking["training"] == {
        "samples": 16,
        "views": [12, 12, 10],
        "several": 12,
        "all": 6,
    }
    assert same(read(three, tmp_path), found)  # from the cache
    some = found.train.part(torch.tensor([3, 8]))
    assert torch.equal(some.present, found.train.present[[3, 8]])


def test_where_nothing_lacks_allowing_it_changes_nothing(tmp_path):
    views = write(tmp_path, lacking={name: set() for name in LACKING})
    found = read(views, tmp_path)
    assert found.train.present is found.test.present is None and not found.lacking
    assert same(read(views, tmp_path, allow_missing=False, cache=str(tmp_path / "other")), found)


def test_held_out_samples_keep_what_they_lack(tmp_path, three):
    flat = {name: f"{folder}/train" for name, folder in three.items()}
    whole, found = read(three, tmp_path), read(flat, tmp_path, test_share=0.25)
    assert (len(found.train), len(found.test)) == (12, 4)
    counts = [part.present.sum(0) for part in (found.train, found.test)]
    assert torch.equal(sum(counts), whole.train.present.sum(0))


def test_what_cannot_be_used_is_told_by_name(tmp_path, three):
    with refused("data.views.rgb: .* has no image of a/04, .*; data.allow_missing=true uses what"):
        read(three, tmp_path, allow_missing=False)
    for split in ("train", "val"):
        path = tmp_path / "strange" / split / "a" / "x1.png"
        path.parent.mkdir(parents=True)
        Image.new("L", (16, 16)).save(path)
    told = "has no sample in common with another view, such as a/x1 here and a/00 there"
    with refused(f"data.views.strange: .*{told}"):
        read({**three, "strange": str(tmp_path / "strange")}, tmp_path)
    only = {name: three[name] for name in ("rgb", "depth")}
    only["depth"] = str(tmp_path / "strange")
    with refused("data.views.rgb: .* has no sample in common with another view"):
        read(only, tmp_path)
    Image.new("L", (20, 20)).save(tmp_path / "heat" / "val" / "a" / "00.png")
    with refused("images of different sizes"):
        read(three, tmp_path, size=None)


def test_a_view_is_there_where_all_that_it_is_made_of_is(tmp_path, three):
    found = read(three, tmp_path)
    raw = found.seen(ChannelViews(5, groups=found.groups).sources)
    assert torch.equal(raw.train.present, found.train.present)
    mixed = found.seen(ChannelViews(5, groups=[[0], [1, 2, 3], [4]]).sources).train.present
    table = found.train.present
    rgb, depth, heat = table.T
    expected = torch.stack([rgb, rgb & depth, heat], 1)
    assert torch.equal(mixed, expected[expected.any(1)])
    whole = found.seen(WholeViews(5).sources)
    assert whole.train.present is None and len(whole.train) == int(table.all(1).sum())
    two = read({name: three[name] for name in ("rgb", "depth")}, tmp_path)
    rooms = two.seen(ModalityViews(["L", "normals", "ab"]).sources)
    rgb, depth = two.train.present.T
    expected = torch.stack([rgb, depth, rgb], 1)
    assert torch.equal(rooms.train.present, expected[expected.any(1)])
    assert same(rooms.seen(ModalityViews(["L", "normals", "ab"]).sources), rooms)


def trained(found, groups):
    views = ChannelViews(found.channels, groups=groups)
    return PretrainedEncoder(views, build_encoders(view_channels=views.view_channels, **NET), NET)


def test_absent_views_have_zero_features_and_see_no_tower(tmp_path, three):
    found = read(three, tmp_path)
    pretrained, present = trained(found, found.groups), found.test.present
    told, args = [], (pretrained.views, pretrained.encoders)
    for fill in (0, 255):
        images = found.test.images.clone()
        for group, there in zip(found.groups, present.T, strict=True):
            for channel in group:
                images[~there, channel] = fill
        features = extract(*args, images, 16, chunk=5, present=present)
        z = held_out_embeddings(*args, images, CropFlip(16), chunk=5, present=present)
        i_nce = held_out_i_nce(*args, images, CropFlip(16), 0.1, 4, present=present)
        told.append((features, *z, i_nce))
    assert all(torch.equal(a, b) for a, b in zip(*(t[:-1] for t in told), strict=True))
    assert told[0][-1] == told[1][-1] and told[0][-1].images == 8  # 9 have both, K = 4
    everything = extract(*args, found.test.images, 16)
    for i, there in enumerate(present.T):
        part, whole = (f.chunk(3, 1)[i] for f in (features, everything))
        assert not part[~there].any() and not z[i][~there].any()
        torch.testing.assert_close(part[there], whole[there])


def test_what_has_none_of_the_views_is_left_out_of_a_probe_and_counted(tmp_path, three):
    found = read(three, tmp_path)
    pretrained, fit = trained(found, found.groups), {"epochs": 2, "batch": 8, "validation": 0.2}
    every = judge(pretrained, found, neighbours=3, **fit)
    told = "10 training and 10 test images lack views, with zeros for their features"
    assert every["protocol"].endswith(f"unstandardised; {told}")
    first = judge(pretrained.only([0]), found, neighbours=3, **fit)
    told = "4 training and 4 test images have none of the views and are left out"
    assert first["protocol"].endswith(f"unstandardised; {told}")
    kept = [s.part(presence.having(s.present, 0)) for s in (found.train, found.test)]
    kept = [ImageSet(s.images, s.labels) for s in kept]
    alone = judge(
        pretrained.only([0]),
        DataSet("alone", *kept, found.classes),
        neighbours=3,
        **fit,
    )
    assert {**first, "protocol": ""} == {**alone, "protocol": ""}
    without = found.test.part((~found.test.present[:, 0]).nonzero().squeeze(1))
    lone = DataSet("x", found.train, without, found.classes, groups=found.groups)
    with refused("data x: evaluation needs labelled test images, got none"):
        judge(pretrained.only([0]), lone)


def test_what_leaves_no_pairs_is_told():
    images, labels = torch.zeros(4, 2, 8, 8), torch.zeros(4, dtype=torch.int64)
    apart = torch.tensor([[True, False], [False, True], [True, True], [True, False]])
    both = torch.ones(4, 2, dtype=torch.bool)
    sets = [ImageSet(images, labels, present=p) for p in (apart, both)]
    groups = ((0,), (1,))
    with refused("data x: a contrast needs at least 2 training images with two views, got 1"):
        DataSet("x", sets[0], sets[1], (), groups=groups).needs_pairs()
    with refused("data x: a contrast needs at least 2 test images with the first two views, got 1"):
        DataSet("x", sets[1], sets[0], (), groups=groups).needs_pairs()
    with refused("data x: an audit needs every view of every sample, 3 of 4 lack some"):
        DataSet("x", sets[1], sets[0], (), groups=groups).needs_all("an audit")


@pytest.fixture
def told(tmp_path):
    views = write(tmp_path, 20)
    named = ", ".join(f"{name}: {folder}" for name, folder in views.items())
    few = ("budget=smoke", "budget.size=16", "data.allow_missing=true")
    return ("data=paired_folders", f"data.views={{{named}}}", f"data.cache={tmp_path}/cache", *few)


def test_games_and_several_processes_are_refused_in_one_line(tmp_path, told):
    lack = "needs every view of every sample, 10 of 40 lack some; leave those out"
    lack, shared = f"data rgb+depth+heat: {{}} {lack}", "views=raw views.crops=shared"
    for name, option, line in (
        ("learn_views", "mode=unsup", lack.format("the game")),
        ("pretrain", "devices=2", lack.format("devices=2, unlike devices=1,")),
        ("pretrain", f"loss=l2 {shared} pretrain.batch=16", lack.format("loss=l2")),
        ("pretrain", "data.allow_missing=1", "data.allow_missing: expected true or false, got 1"),
    ):
        script = Script(tmp_path / option[:6].replace("=", "-"), name, *told, *option.split())
        assert script.wait() == 2
        assert script.err == f"error: {line}\n"
        assert script.folders == []


@pytest.mark.slow
def test_sensors_that_lack_samples_are_pretrained_on_judged_and_measured(tmp_path, told):
    few = ("pretrain.epochs=2", "pretrain.batch=16")
    trained = Script(tmp_path, "pretrain", *told, *few, "views=raw", "probe.epochs=1")
    assert trained.wait() == 0, trained.err
    said = "40 training samples, some lack views: v1 36, v2 36, v3 34, two or more 36, all 30"
    assert said in trained.out
    (run,) = trained.folders
    record = read_json(run / "result.json")
    assert record["present"]["training"]["views"] == [36, 36, 34]
    assert record["i_nce"]["images"] == 32 and (run / "pictures" / "views.png").exists()
    judged = Script(
        tmp_path / "eval", "linear_eval", *told, f"pretrained={run}/encoder", "only_views=[0]"
    )
    assert judged.wait() == 0, judged.err
    assert "4 training and 4 test images have none of the views and are left out" in judged.out
    shared = Script(tmp_path / "shared", "estimate_information", *told, *few, "views=raw", "k=16")
    assert shared.wait() == 0, shared.err
    assert "I_NCE(v2; v3), K = 16" in shared.out
    assert read_json(shared.folders[0] / "result.json")["present"] == record["present"]
