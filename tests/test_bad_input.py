"""Whatever is wrong, one clear line tells it, and nothing half-made is left behind."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from running import SCRIPTS, Process, Script

from infomin import ViewGenerator, artifact, checkpoint, data, files, load_generator
from infomin.augment import CropFlip
from infomin.data import DataSet, ImageSet
from infomin.encoders import build_towers
from infomin.errors import InputError
from infomin.parallel import make_fabric
from infomin.pretrained import Pretrained, load_pretrained
from infomin.run import Run
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from infomin.training.view_learning import Game, GameSettings
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")

SMALL = ("data=scenes", "data.train=64", "data.test=32", "budget=smoke")


def picture(path, mode="RGB", size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    """Ten good images in two classes."""
    for i in range(10):
        picture(tmp_path / "images" / "ab"[i % 2] / f"{i}.jpg")
    return tmp_path / "images"


def read(folder, size=8, **options):
    return data.image_folder(str(folder), size, cache=str(folder.parent / "cache"), **options)


def refused(message):
    return pytest.raises(InputError, match=rf"^[^\n]*{message}[^\n]*$")


# Images


def test_a_missing_folder(tmp_path):
    with refused(f"data.root: {tmp_path}/nowhere is not a folder; give the folder that holds"):
        read(tmp_path / "nowhere")


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    with refused(f"data.root: no images in {tmp_path}/images; expected <class>/"):
        read(tmp_path / "images")


def test_an_empty_test_folder(folder):
    picture(folder / "train" / "a" / "0.png")
    (folder / "val").mkdir()
    with refused("data.root: no images in .*/val"):
        read(folder)


def spoil(path, how):
    whole = path.read_bytes()
    path.write_bytes({"truncated": whole[: len(whole) // 2], "text": b"<html>", "empty": b""}[how])
    return path


@pytest.mark.parametrize("how", ["truncated", "text", "empty"])
def test_an_image_that_cannot_be_read_is_named(folder, how):
    bad = spoil(folder / "b" / "3.jpg", how)
    with refused(rf"{bad}: cannot be read \(.*\); data.skip_bad=true goes on without it"):
        read(folder)
    assert not (folder.parent / "cache").exists()


def test_bad_images_are_skipped_on_demand_and_counted_also_from_the_cache(folder):
    spoil(folder / "b" / "3.jpg", "truncated")
    spoil(folder / "a" / "0.jpg", "text")
    for _ in range(2):
        found = read(folder, skip_bad=True, test_share=0.25)
        assert found.skipped == 2
        assert (len(found.train), len(found.test)) == (6, 2)


def test_nothing_but_bad_images(tmp_path):
    spoil(picture(tmp_path / "images" / "a" / "0.jpg"), "text")
    with refused("data.root: not one of the 1 images in .* can be read"):
        read(tmp_path / "images", skip_bad=True)


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK"])
def test_images_that_are_not_rgb_are_named_with_their_mode(folder, mode):
    odd = picture(folder / "a" / "odd.tif" if mode in ("LA", "CMYK") else folder / "odd.png", mode)
    with refused(f"{odd}: has mode {mode}, expected RGB; data.convert=true makes grey three"):
        read(folder)
    assert len(read(folder, convert=True).train) == 9


def test_images_of_16_bits_are_refused_even_with_convert(folder):
    odd = picture(folder / "a" / "odd.png", "I;16")
    with refused(f"{odd}: has mode I;16, expected 8 bits a channel"):
        read(folder, convert=True)


def test_images_of_different_sizes_without_a_size(folder):
    odd = picture(folder / "b" / "odd.png", size=(9, 9))
    with refused(f"images of different sizes: .*/a/0.jpg is 8x8, {odd} is 9x9; set data.size=N"):
        read(folder, size=None)


def test_images_that_are_no_squares_without_a_size(folder):
    odd = picture(folder / "b" / "odd.png", size=(8, 9))
    with refused(f"{odd}: is 8x9, expected a square; set data.size=N"):
        read(folder, size=None)


def test_test_images_of_another_size_without_a_size(tmp_path):
    picture(tmp_path / "images" / "train" / "a" / "0.png", size=(8, 8))
    picture(tmp_path / "images" / "val" / "a" / "0.png", size=(9, 9))
    with refused("training images are 8x8, test images 9x9; set data.size=N"):
        read(tmp_path / "images", size=None)


def test_a_class_that_is_in_the_test_set_only(tmp_path):
    picture(tmp_path / "images" / "train" / "a" / "0.png")
    odd = picture(tmp_path / "images" / "val" / "b" / "0.png")
    with refused(rf"{odd}: class 'b' has no training images; expected \['a'\]"):
        read(tmp_path / "images")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "data.size: expected at least 1 pixel, got 0"),
        ({"test_share": 0.01}, "data.test_share: 0.01 of 10 images leaves 0 for test"),
        ({"test_share": 1.0}, "data.test_share: 1.0 of 10 images leaves 10 for test"),
    ],
)
def test_options_of_a_folder_out_of_range(folder, options, message):
    with refused(message):
        read(folder, **options)


def label_set(train, test=(0, 1)):
    images = [torch.zeros(len(labels), 3, 4, 4, dtype=torch.uint8) for labels in (train, test)]
    sets = [ImageSet(x, torch.tensor(y)) for x, y in zip(images, (train, test), strict=True)]
    return DataSet("mine", *sets, ("cat", "dog"))


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ([0, 0, -1], [0], r"data mine: mode=semi needs at least 2 classes, got 1 \(cat\); put"),
        ([-1, -1], [0], "data mine: mode=semi needs at least 2 classes, got 0; put images"),
        ([0, 1], [-1], "data mine: mode=semi needs labelled test images, got none; put"),
    ],
)
def test_data_without_two_classes_to_tell_apart(train, test, message):
    with refused(message):
        label_set(train, test).needs_classes("mode=semi")
    label_set([0, 1, -1]).needs_classes("mode=semi")


# Saved generators and encoders


@pytest.fixture
def saved(tmp_path):
    return ViewGenerator().save(tmp_path / "generator")


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_images_of_other_channels_than_the_generators():
    with refused(r"images: this generator takes 3 channels \(R, G, B\), got 4"):
        ViewGenerator()(torch.rand(2, 4, 8, 8))


@pytest.mark.parametrize("section", ["architecture", "training", "versions"])
def test_a_card_edited_by_hand(saved, section):
    edit(saved / "card.json", **{section: {"channels": 3, "edited": "by hand"}})
    with refused(f"{saved}/card.json: is not the card that was saved .* changed afterwards"):
        load_generator(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "card.json: is not a JSON file"),
        ("\xff\xfe", "card.json: is not a JSON file"),
        ("[" * 100_000, "card.json: is not a JSON file"),
        ("[]", "card.json: expected format infomin-generator/1, got list"),
        ("{}", "card.json: expected format infomin-generator/1, got None"),
        ('{"format": "infomin-encoder/1"}', "expected .*-generator/1, got infomin-encoder/1"),
        ('{"format": "infomin-generator/2"}', "expected .*-generator/1, got infomin-generator/2"),
        ('{"format": "infomin-generator/1"}', "lacks architecture, training, versions"),
    ],
)
def test_a_card_that_is_none(saved, content, message):
    (saved / "card.json").write_bytes(content.encode("latin1"))
    with refused(message):
        load_generator(saved)


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_a_missing_file(saved, name):
    (saved / name).unlink()
    with refused(f"{saved}: is not a saved generator, {name} is missing there"):
        load_generator(saved)


@pytest.mark.parametrize("left", [0, 4, 100, 0.5, 0.99])
def test_truncated_weights(saved, left):
    path = saved / "model.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(left * len(whole)) if isinstance(left, float) else left])
    with refused(f"{path}: is damaged"):
        load_generator(saved)


def test_weights_of_another_generator(saved, tmp_path):
    other = ViewGenerator(color="ydbdr").save(tmp_path / "other")
    (other / "model.safetensors").replace(saved / "model.safetensors")
    with refused("is not the card that was saved with model.safetensors"):
        load_generator(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"flow": {"hidden": 17}},
        {"flow": {"kind": "additive"}},
        {"flow": {"kind": "spline"}},
        {"flow": {"blocks": 10**12}},
        {"flow": {"hidden": 10**12}},
        {"flow": {"layers": 10**12}},
        {"flow": {"depth": 3}},
        {"flow": "affine"},
        {"channels": 4},
        {"channels": 10**12},
        {"channels": "3"},
        {"groups": [[0], [1]]},
        {"groups": [["a"], ["b"]]},
        {"color": "cmyk"},
        {"value_range": [1, 0]},
        {"value_range": [0, 1, 2]},
        {"channel_names": ["R"]},
        {"unknown": 1},
    ],
)
def test_a_card_that_does_not_fit_its_weights_builds_nothing(tmp_path, change):
    """As a stranger could make it: card and weights agree in their digest."""
    g = ViewGenerator()
    saved = artifact.save(
        tmp_path / "generator", "generator", {**g.architecture, **change}, g.state_dict(), {}
    )
    with refused(f"{saved}: card and weights do not fit together: ."):
        load_generator(saved)


@pytest.mark.parametrize("change", [{"dim": 5}, {"widths": []}, {"name": "vgg"}, {"depth": 3}])
def test_a_card_that_does_not_fit_its_encoder(tmp_path, change):
    encoder = {"name": "fourconv", "size": 8, "dim": 4, "widths": [4], "pools": 1}
    views = ChannelViews()
    towers = build_towers(view_channels=views.view_channels, **encoder)
    saved = Pretrained(views, towers, encoder).save(tmp_path / "good")
    load_pretrained(saved)
    card, weights = artifact.load(saved, "encoder")
    architecture = {**card["architecture"], "encoder": {**encoder, **change}}
    saved = artifact.save(tmp_path / "bad", "encoder", architecture, weights, {})
    with refused(f"{saved}: card and weights do not fit together: ."):
        load_pretrained(saved)


class Burglar:
    """Unpickling this makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_place_of_weights_is_never_executed(saved, tmp_path):
    pickled = pickle.dumps(Burglar(tmp_path / "broken in"))
    torch.save(Burglar(tmp_path / "broken in"), tmp_path / "zip")
    for content in (pickled, (tmp_path / "zip").read_bytes()):
        (saved / "model.safetensors").write_bytes(content)
        with refused("model.safetensors: is damaged"):
            load_generator(saved)
    assert not (tmp_path / "broken in").exists()
    pickle.loads(pickled)
    assert (tmp_path / "broken in").exists()


def test_a_pickle_in_place_of_a_checkpoint_is_never_executed(tmp_path):
    torch.save(Burglar(tmp_path / "broken in"), tmp_path / "checkpoint.pt")
    with refused("checkpoint.pt: is not a checkpoint of this run"):
        checkpoint.restore(tmp_path / "checkpoint.pt", pretraining())
    assert not (tmp_path / "broken in").exists()


def test_a_generator_is_never_written_over(saved):
    before = (saved / "model.safetensors").read_bytes()
    with refused(f"{saved}: is there already; choose another name or remove it"):
        ViewGenerator(color="yiq").save(saved)
    assert (saved / "model.safetensors").read_bytes() == before


# Training


def pretraining(batch=8, epochs=2, **options):
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)
    views = ChannelViews()
    towers = build_towers("fourconv", views.view_channels, 8, dim=4, widths=[4], pools=1)
    settings = ContrastiveSettings(epochs=epochs, batch=batch, **options)
    return Pretraining(
        views, towers, images, CropFlip(8), torch.optim.AdamW, settings, make_fabric("cpu")
    )


def game(mode="semi", **options):
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)
    train = ImageSet(images, torch.arange(24) % 2)
    g = ViewGenerator()
    f, c = (
        build_towers("fourconv", g.view_channels, 8, dim, normalize=n, widths=[4], pools=1)
        for dim, n in ((4, True), (2, False))
    )
    settings = GameSettings(mode, **{"steps": 6, "batch": 8, "labelled_batch": 4, **options})
    return Game(
        g, "per_view", f, c, train, torch.arange(24), CropFlip(8), settings, make_fabric("cpu")
    )


def test_a_batch_larger_than_the_data():
    with refused(r"batch size: expected 1..24, .* \(pretrain\), got 25"):
        pretraining(batch=25)
    with refused(r"batch size: expected 1..24, .* \(game\), got 25"):
        game(batch=25)
    with refused(r"batch size: expected 1..24, .* \(labelled game\), got 25"):
        game(labelled_batch=25)


@pytest.mark.parametrize(
    ("make", "poison", "name"),
    [
        (pretraining, lambda learner: learner.towers, "loss"),
        (game, lambda learner: learner.f, "L_NCE"),
        (game, lambda learner: learner.c, "CE of view 1"),
    ],
)
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_with_step_and_checkpoint(
    tmp_path, make, poison, name, value
):
    learner, run = make(), Run(tmp_path / "run", "config", stream=None)
    steps = run.follow(learner, "test")
    next(steps)
    run.save(learner)
    next(steps)
    with torch.no_grad():
        next(poison(learner).parameters()).fill_(value)
    before = [p.clone() for p in learner.modules["g" if make is game else "towers"].parameters()]
    with refused(
        rf"{name} is (nan|inf) at step 2; the state is saved in {tmp_path}/run/diverged.pt, "
        rf"the last good checkpoint is {tmp_path}/run/checkpoint.pt; try a smaller learning rate"
    ):
        list(steps)
    again = make()
    checkpoint.restore(tmp_path / "run" / "checkpoint.pt", again)
    assert again.step == 1, "a state that diverged does not replace a good one"
    checkpoint.restore(tmp_path / "run" / "diverged.pt", again)
    assert again.step == 2
    after = again.modules["g" if make is game else "towers"].parameters()
    assert all(map(torch.equal, map(torch.nan_to_num, before), map(torch.nan_to_num, after)))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "other learner"])
def test_a_checkpoint_that_is_none(tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, game() if damage == "other learner" else pretraining())
    whole = path.read_bytes()
    if damage != "other learner":
        cut = {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"no checkpoint"}
        path.write_bytes(cut[damage])
    with refused(f"{path}: is not a checkpoint of this run"):
        checkpoint.restore(path, pretraining())


# Disks


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_file_in_the_way_of_an_output_folder(tmp_path, depth):
    (tmp_path / "file").touch()
    path = tmp_path.joinpath("file", *["deeper"] * depth)
    with refused(f"{path}: this folder cannot be written .*; choose another"):
        files.make_folder(path)
    with refused("this folder cannot be written .*; choose another"):
        ViewGenerator().save(path / "generator")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path):
    process = Process(tmp_path / "logs", fill_the_disk, tmp_path / "disk", file_limit=100_000)
    assert process.wait() == 0, process.err
    assert process.out == "refused 5 times\n"


def fill_the_disk(disk):
    """Run where no file can grow beyond a limit, so that writing really fails."""
    disk.mkdir()
    (disk / "old").write_bytes(b"old")
    big = torch.zeros(100_000)
    learner = pretraining()
    learner.modules["big"] = torch.nn.Linear(100, 1000)
    attempts = [
        lambda: files.write_bytes(disk / "old", bytes(200_000)),
        lambda: files.write_json(disk / "new", "x" * 200_000),
        lambda: artifact.save(disk / "artifact", "generator", {}, {"big": big}, {}),
        lambda: checkpoint.save(disk / "old", learner),
        lambda: files.append(disk / "log", "x" * 200_000),
    ]
    for i, attempt in enumerate(attempts):
        try:
            attempt()
        except InputError as error:
            assert "could not be written (File too large)" in str(error)
            assert "free some space" in str(error)
        else:
            raise AssertionError(f"attempt {i} was not refused")
    (disk / "log").unlink()
    assert [path.name for path in disk.iterdir()] == ["old"]
    assert (disk / "old").read_bytes() == b"old"
    print(f"refused {len(attempts)} times")


def test_metrics_and_pictures_that_find_no_space(tmp_path):
    from matplotlib.figure import Figure

    run = Run(tmp_path / "run", "config", stream=None)
    (run.folder / "metrics.jsonl").symlink_to("/dev/full")
    with refused("metrics.jsonl: could not be written .No space left on device.; free some space"):
        run.log(1, {"loss": 1.0})
    (run.folder / "pictures").touch()
    with refused("pictures: this folder cannot be written"):
        run.picture("views", Figure())


# Scripts


def only_line(script, code=2):
    """What a script said, if it was one line, with nothing made."""
    assert script.wait() == code, script.err
    assert len(script.err.splitlines()) == 1, script.err
    assert script.err.startswith("error: ")
    assert script.folders == []
    return script.err.removeprefix("error: ").strip()


@pytest.mark.parametrize(
    ("name", "override", "message"),
    [
        (
            "learn_views",
            "game.batchsize=3",
            "Could not override 'game.batchsize'. There is no such",
        ),
        ("learn_views", "+data.foo=1", "scenes() got an unexpected keyword argument 'foo'"),
        ("learn_views", "+flow.foo=1", "flow: build_flow() got an unexpected keyword argument"),
        ("learn_views", "+estimator.foo=1", "unexpected keyword argument 'foo'"),
        ("learn_views", "+labels.foo=1", "unexpected keyword argument 'foo'"),
        ("learn_views", "mode=none", "mode: expected one of unsup, semi, sup, got 'none'"),
        ("learn_views", "color=lab", "color: lab has no exact linear inverse"),
        ("learn_views", "flow.mixing=foo", "flow.mixing: expected one of rotation, orthogonal"),
        ("learn_views", "flow.hidden=wide", "flow.hidden: expected at least 1, got 'wide'"),
        ("learn_views", "flow=spline", "Could not find 'flow/spline'; Available options in 'flow'"),
        (
            "learn_views",
            "labels.share=null labels.number=65",
            "labels.number: 65 labels asked, the data has 64",
        ),
        ("learn_views", "game.batch=65", "batch size: expected 1..64"),
        ("learn_views", "device=cube", "device=cube devices=1"),
        ("learn_views", "precision=3", "precision=3"),
        ("learn_views", "resume=true", "resume: no unfinished run of this configuration in"),
        ("pretrain", "views.color=foo", "color: expected one of rgb, ydbdr"),
        ("pretrain", "views.groups=[[0],[1]]", "groups: expected a partition of channels 0..2"),
        ("pretrain", "pretrain.temperature=0", "temperature: expected a number > 0, got 0"),
        ("pretrain", "views=learned", "no finished run of scripts/learn_views.py in"),
        ("pretrain", "probe.tap=fc7", "tap: expected one of conv1, conv2, conv3, conv4, got 'fc7'"),
        ("pretrain", "encoder.name=vgg", "encoder.name: expected one of fourconv, alexnet, resnet"),
        ("linear_eval", "seed=1", "no finished run of scripts/pretrain.py in"),
        ("export_generator", "to=/tmp/never", "no finished run of scripts/learn_views.py in"),
    ],
)
def test_a_wrong_option_of_a_script_is_one_line(tmp_path, name, override, message):
    shared = {
        "learn_views": (*SMALL, "labels.share=1", "game.batch=8", "game.labelled_batch=8"),
        "pretrain": (*SMALL, "views=raw", "pretrain.batch=8"),
        "linear_eval": SMALL,
    }
    line = only_line(Script(tmp_path, name, *shared.get(name, ()), *override.split()))
    assert message in line


@pytest.mark.parametrize("name", ["learn_views", "pretrain"])
def test_bad_images_of_a_script_are_one_line(tmp_path, folder, name):
    bad = spoil(folder / "a" / "2.jpg", "truncated")
    options = ("data=image_folder", f"data.root={folder}", f"data.cache={tmp_path / 'cache'}")
    line = only_line(Script(tmp_path, name, "budget=smoke", *options))
    assert line.startswith(f"{bad}: cannot be read")


def test_one_class_alone_is_one_line(tmp_path):
    for i in range(10):
        picture(tmp_path / "images" / "only" / f"{i}.png")
    options = ("data=image_folder", f"data.root={tmp_path / 'images'}", f"data.cache={tmp_path}")
    line = only_line(Script(tmp_path, "learn_views", "budget=smoke", *options))
    assert "mode=semi needs at least 2 classes, got 1 (only)" in line


@pytest.mark.parametrize("wrong", ["channels", "card", "weights", "missing"])
def test_a_wrong_generator_of_a_script_is_one_line(tmp_path, wrong):
    saved = ViewGenerator(4 if wrong == "channels" else 3).save(tmp_path / "generator")
    if wrong == "card":
        edit(saved / "card.json", training={"i_nce": 0})
    elif wrong == "weights":
        spoil(saved / "model.safetensors", "truncated")
    elif wrong == "missing":
        saved = tmp_path / "nowhere"
    message = {
        "channels": "takes 4 channels (channel_0, channel_1, channel_2, channel_3), data scenes",
        "card": "is not the card that was saved with model.safetensors",
        "weights": "is damaged",
        "missing": "is not a saved generator",
    }
    script = Script(tmp_path, "pretrain", *SMALL, "views=learned", f"views.generator={saved}")
    assert message[wrong] in only_line(script)


def test_an_output_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "runs").touch()
    line = only_line(Script(tmp_path, "learn_views", *SMALL, "labels.share=1"))
    assert f"{tmp_path}/runs/learn_views: this folder cannot be written" in line


def test_a_full_disk_in_the_middle_of_a_run_is_one_line(tmp_path):
    script = Script(
        tmp_path, "learn_views", *SMALL, "labels.share=1", "save_every=0", file_limit=100_000
    )
    assert script.wait() == 2
    errors = [line for line in script.err.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in script.err
    assert len(errors) == 1
    (run,) = script.folders
    assert f"{run}/checkpoint.pt: could not be written (File too large)" in errors[0]
    assert not list(run.glob(".*"))
    assert not (run / "checkpoint.pt").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("learn_views", ("mode=unsup", "budget.patch=8", "game.batch=2", "game.steps=2")),
        ("pretrain", ("views=raw", "pretrain.batch=8", "probe.epochs=1")),
    ],
)
def test_a_handful_of_images_is_no_error(tmp_path, name, options):
    """Nor is a folder without labels, where none are needed."""
    data = ["data=scenes", "data.train=8", "data.test=3"]
    if name == "learn_views":
        for i in range(8):
            picture(tmp_path / "images" / f"{i}.png")
        data = ["data=image_folder", f"data.root={tmp_path / 'images'}", f"data.cache={tmp_path}"]
    script = Script(tmp_path, name, *data, "budget=smoke", "budget.size=8", *options)
    assert script.wait() == 0, script.err
    assert "Traceback" not in script.err
    (run,) = script.folders
    assert (run / "result.json").exists()


@pytest.mark.slow
def test_a_script_started_by_hand_does_the_same(tmp_path):
    command = [sys.executable, SCRIPTS / "learn_views.py", *SMALL, f"out={tmp_path}", "mode=foo"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert ended.returncode == 2
    assert ended.stderr == "error: mode: expected one of unsup, semi, sup, got 'foo'\n"
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []
