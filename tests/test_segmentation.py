"""Segmentation on frozen encoders: frames with labels, exact overlap, a decoder that learns."""

import itertools

import numpy as np
import pytest
import reference
import torch
from lightning_fabric import Fabric
from PIL import Image
from real import DATA, needs
from refusal import refused
from rooms import BED, COLORS, FLOOR, WALL, write

from infomin import ViewGenerator, data
from infomin.data.nyuv2 import ALL_CLASSES, IGNORED
from infomin.evaluation.segmentation import (
    Segmentation,
    SegmentationSettings,
    confusion_matrix,
    segmentation_scores,
)
from infomin.experiments.evaluation_figures import segmentation_picture
from infomin.models import Decoder, build_encoders, levels
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import ChannelViews, FrequencyViews, LearnedViews, PatchViews


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write(tmp_path_factory.mktemp("nyu") / "rooms", train=24, test=8)


@pytest.fixture(scope="module")
def frames(root):
    return data.nyuv2_frames(str(root), 24, 32, "rgb")


def test_overlap_equals_its_slow_reference():
    truth, prediction = torch.randint(0, 7, (6, 9, 11)), torch.randint(0, 9, (6, 9, 11))
    truth[torch.rand(truth.shape) < 0.2] = IGNORED
    mean, accuracy = reference.segmentation(truth, prediction, IGNORED)
    scores = segmentation_scores(confusion_matrix(truth, prediction, 9))
    expected = pytest.approx((mean, accuracy))
    assert (scores.mean_iou, scores.pixel_accuracy) == expected
    assert scores.iou[7:] == (None, None), "predicted and never true"
    parts = [confusion_matrix(t, g, 9) for t, g in zip(truth, prediction, strict=True)]
    assert torch.equal(sum(parts), confusion_matrix(truth, prediction, 9))
    with refused("labels: expected a pixel with a label, got none"):
        segmentation_scores(confusion_matrix(torch.full((3,), IGNORED), torch.zeros(3).long(), 2))


@pytest.mark.usefixtures("single")
def test_frames_keep_their_labels_and_lose_their_border(root):
    whole = data.nyuv2_frames(str(root), 48, 64, "rgbd")  # 64 x 80, less 8 on each side
    assert whole.images.train.images.shape == (24, 4, 48, 64)
    assert whole.train.shape == (24, 48, 64) and whole.test.shape == (8, 48, 64)
    assert whole.train.unique().tolist() == [WALL, FLOOR, BED, IGNORED]
    assert len(whole.classes) == 39 and whole.classes[BED] == "bed"
    unlabelled = (whole.train == IGNORED).float().mean((0, 1))
    assert (unlabelled[32:34] == 1).all() and unlabelled.sum() == 2, "the strip, and no border"
    for label, color in COLORS.items():
        pixels = whole.images.train.images[:, :3].permute(0, 2, 3, 1)[whole.train == label]
        torch.testing.assert_close(
            pixels.float().mean(0), torch.tensor(color).float(), atol=12, rtol=0
        )
    half = data.nyuv2_frames(str(root), 24, 32, "rgb")
    assert half.images.train.images.shape == (24, 3, 24, 32) and half.images.channels == 3
    assert half.train.unique().tolist() == [WALL, FLOOR, BED, IGNORED], "no class between two"
    agree = (half.train == whole.train[:, ::2, ::2]) | (half.train == whole.train[:, 1::2, 1::2])
    assert agree.float().mean() > 0.99


def test_wrong_frames_are_refused(root, tmp_path):
    with refused("data.root: expected the folder of train/rgb, .*, got none"):
        data.nyuv2_frames()
    with refused("data.height: expected a whole number of at least 1, got 0"):
        data.nyuv2_frames(str(root), 0)
    with refused("data.channels: expected one of rgb, rgbd, got 'depth'"):
        data.nyuv2_frames(str(root), channels="depth")
    broken = write(tmp_path / "rooms", train=1, test=1) / "train" / "label40" / "0000.png"
    labels = np.array(Image.open(broken))
    labels[30, 30] = len(ALL_CLASSES)
    Image.fromarray(labels).save(broken)
    with refused("label40/0000.png: holds class 39, expected 0..38, or 255 for none"):
        data.nyuv2_frames(str(tmp_path / "rooms"))


VIEWS = [ChannelViews(color="ydbdr"), FrequencyViews(1.0), PatchViews(3, 16, 4)]
NETS = [
    ({"name": "fourconv", "size": 16, "dim": 8}, ("conv1", "conv2", "conv4")),
    ({"name": "alexnet", "size": 16, "dim": 8, "width": 0.05}, ("conv1", "conv4", "conv5")),
    ({"name": "resnet", "size": 16, "dim": 8}, ("layer1", "layer2", "layer3", "layer4")),
]


def encoder(views, options=NETS[0][0]):
    return PretrainedEncoder(
        views, build_encoders(view_channels=views.view_channels, **options), options
    )


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(("options", "taps"), NETS)
def test_the_last_tap_of_every_resolution_is_read_on_frames_of_any_size(options, taps):
    one = encoder(VIEWS[0], options)
    views = one.views.split(torch.rand(1, 3, 40, 56))
    assert levels(one.encoders.eval(), views) == taps
    maps = one.encoders.maps(views, taps)
    sides = [m.shape[3] for m in maps]
    assert sides == sorted(set(sides), reverse=True)
    decoder = Decoder([m.shape[1] for m in maps], [8] * len(maps), 7)
    logits = decoder(maps, [m.shape[2:] for m in maps])
    assert logits.shape == (1, 7, *maps[0].shape[2:])


def trained(one, frames, **numbers):
    settings = SegmentationSettings(
        **{"epochs": 8, "batch": 6, "rate": 2e-2, "width": 12, **numbers}
    )
    learner = Segmentation(one, frames, settings, Fabric(accelerator="cpu", devices=1))
    metrics = list(learner)
    return learner, metrics


@pytest.mark.slow
@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("views", [*VIEWS, None], ids=str)
def test_a_decoder_learns_and_leaves_the_encoder_bit_identical(frames, views):
    one = encoder(views or LearnedViews(ViewGenerator(flow={"blocks": 1, "hidden": 4})))
    before = {name: w.clone() for name, w in one.encoders.state_dict().items()}
    learner, metrics = trained(one, frames)
    assert metrics[-1]["loss"] < metrics[0]["loss"] / 2
    result = learner.evaluate()
    assert result["mean_iou"] > result["chance"]["mean_iou"] + 0.3
    assert result["iou"].keys() == {"wall", "floor", "bed"}
    assert "taps conv1, conv2, conv4, decoder of 4 layers" in result["protocol"]
    assert "mean over the 3 classes of 8 test frames of 32x24 pixels" in result["protocol"]
    after = one.encoders.state_dict()
    assert all(torch.equal(w, after[name]) for name, w in before.items())
    guess = learner.predict(frames.images.test.images, chunk=3)
    assert torch.equal(guess, learner.predict(frames.images.test.images))
    assert learner.decoder.training


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("frozen", [True, False])
def test_a_resumed_decoder_goes_on_and_only_one_that_is_not_frozen_trains_a_copy(frames, frozen):
    one = encoder(VIEWS[0]).only([0])
    before = {name: w.clone() for name, w in one.encoders.state_dict().items()}
    learner, metrics = trained(one, frames, frozen=frozen, epochs=2)
    assert all(torch.equal(w, before[name]) for name, w in one.encoders.state_dict().items())
    now = learner.encoders.state_dict()
    moved = {name for name, w in before.items() if not torch.equal(w, now[name])}
    assert moved == (set() if frozen else {name for name in before if "backbone" in name})
    text = "frozen features of" if frozen else "features, trained along with it, of"
    assert learner.evaluate()["protocol"].startswith(f"{text} taps conv1")
    half, resumed = (Segmentation(one, frames, learner.settings, learner.fabric) for _ in "12")
    first = [m["loss"] for m in itertools.islice(half, 3)]
    resumed.load_state_dict(half.state_dict())
    assert first + [m["loss"] for m in resumed] == [m["loss"] for m in metrics]


def test_wrong_settings_are_refused():
    with refused("segment.epochs: expected a whole number of at least 1, got 0"):
        SegmentationSettings(epochs=0)
    with refused("segment.rate: expected a number > 0, got 0"):
        SegmentationSettings(rate=0)


@pytest.mark.usefixtures("single")
def test_the_picture_shows_frames_truth_and_guess(frames):
    images, truth = frames.images.test.images[:3], frames.test[:3]
    guess = truth.long().clamp(max=BED)
    figure = segmentation_picture(images, truth, guess, frames.classes, "title")
    assert len(figure.axes) == 9 and figure.get_suptitle() == "title"
    shown = [axis.images[0].get_array() for axis in figure.axes]
    none = (truth[0] == IGNORED).numpy()
    assert (shown[3][none] == 1).all() and not (shown[6][none] == 1).all()
    assert np.allclose(shown[3][~none], shown[6][~none])
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[:3] == ["wall", "floor", "bed"]


@needs("nyuv2")
@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_the_real_frames_have_39_classes():
    frames = data.nyuv2_frames(str(DATA / "nyuv2"), 36, 48)
    assert len(frames.train) == 795 and len(frames.test) == 654
    shares = torch.bincount(frames.train.flatten(), minlength=256)
    assert (shares[:39] > 0).all() and shares[39:255].sum() == 0
    assert shares.argsort(descending=True)[:3].tolist()[0] in (0, IGNORED)
