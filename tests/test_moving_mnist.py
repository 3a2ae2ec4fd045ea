"""Colorful-Moving-MNIST: motion of digits, rendering of frames, and factors that views share."""

import sys
from dataclasses import fields

import pytest
import reference
import torch
from PIL import Image
from refusal import picture, refused

from infomin.core import rng
from infomin.data import ImageSet
from studies.moving_mnist.scenes import (
    FACTORS,
    Motion,
    MovingMnist,
    SameClass,
    Sharing,
    trajectory,
)
from studies.moving_mnist.sources import load_backgrounds, load_digits

SMALL = Motion(canvas=16, frames=4, target=6)


def image_sets(n=40, side=6, background=20, classes=5):
    """Random digits and backgrounds, `n` of each."""
    generator = torch.Generator().manual_seed(1)
    digits = torch.randint(256, (n, 1, side, side), generator=generator).to(torch.uint8)
    shape = (n, 3, background, background)
    backgrounds = torch.randint(256, shape, generator=generator).to(torch.uint8)
    labels = torch.arange(n) % classes
    return ImageSet.of(digits, labels), ImageSet.of(backgrounds, labels.flip(0))


def moving(motion=SMALL, **options):
    return MovingMnist(*image_sets(**options), motion)


def of_the_paper():
    return moving(Motion(), side=28, background=96)


def pairs(n=20000, shared=("digit",), motion=SMALL, seed=0, **how):
    data = moving(motion)
    return data, *data.sample_pairs(n, Sharing(shared, **how), rng.generator(seed, "test"))


def test_trajectories_equal_a_slow_loop_that_bounces():
    generator = torch.Generator().manual_seed(0)
    start = 36 * torch.rand(50, 2, generator=generator)
    velocity = 50 * torch.randn(50, 2, generator=generator)  # some cross the canvas in one frame
    fast = trajectory(start, velocity, 30, 36)
    slow = [reference.bouncing(s, v, 30, 36) for s, v in zip(start, velocity, strict=True)]
    torch.testing.assert_close(fast, torch.stack(slow))


def test_the_paper_s_digit_moves_6_4_pixels_a_frame_in_any_direction():
    position = of_the_paper().sample(2000, 20, rng.generator(0, "test")).position
    assert position.min() >= 0 and position.max() <= 36
    steps = position.diff(dim=1).norm(dim=2)
    assert steps.max() == pytest.approx(6.4) and (steps > 6.4 - 1e-9).double().mean() > 0.6
    first = position[:, 1] - position[:, 0]
    free = (steps[:, 0] > 6.4 - 1e-9) & ((position[:, 0] - 18).abs().amax(1) < 11.5)
    angle = torch.atan2(first[free, 0], first[free, 1])
    assert angle.sin().mean().abs() < 0.1 and angle.cos().mean().abs() < 0.1


def test_positions_are_uniform_in_every_frame():
    position = of_the_paper().sample(20000, 20, rng.generator(0, "test")).position / 36
    expected = torch.linspace(0.05, 0.95, 19)
    for frame in (0, 19):
        quantiles = position[:, frame].quantile(expected, dim=0)
        torch.testing.assert_close(quantiles, expected[:, None].expand(-1, 2), atol=0.015, rtol=0)


def test_a_frame_is_a_white_digit_on_a_crop():
    data = moving()
    scenes = data.sample(5, 3, rng.generator(0, "test"))
    scenes.position.round_()
    frames = data.render(scenes)
    assert frames.shape == (5, 3, 3, 16, 16)
    for i in range(5):
        top, left = scenes.crop[i].tolist()
        whole = data.backgrounds.images[scenes.background[i]] / 255
        background = whole[:, top : top + 16, left : left + 16]
        digit = data.digits.images[scenes.digit[i], 0] / 255
        for t in range(3):
            place = [int(p) for p in scenes.position[i, t]]
            slow = reference.pasted(background, digit, *place)
            torch.testing.assert_close(frames[i, t], slow)


def test_a_digit_between_pixels_keeps_its_ink_and_its_centre():
    digits, backgrounds = image_sets()
    black = ImageSet.of(torch.zeros_like(backgrounds.images), backgrounds.labels)
    data = MovingMnist(digits, black, SMALL)
    scenes = data.sample(50, 1, rng.generator(0, "test"))
    ink = data.render(scenes)[:, 0, 0]
    original = digits.images[scenes.digit, 0] / 255
    torch.testing.assert_close(ink.sum((1, 2)), original.sum((1, 2)))
    for axis, dims in enumerate(((2,), (1,))):
        along, of_digit = ink.sum(dims), original.sum(dims)
        centre = (along * torch.arange(16)).sum(1) / along.sum(1)
        expected = (of_digit * torch.arange(6)).sum(1) / of_digit.sum(1)
        torch.testing.assert_close(centre, expected + scenes.position[:, 0, axis])


@pytest.mark.parametrize("black", ["digits", "backgrounds"])
def test_smaller_frames_are_means_over_squares(black):
    sets = dict(zip(("digits", "backgrounds"), image_sets(), strict=True))
    sets[black] = ImageSet.of(torch.zeros_like(sets[black].images), sets[black].labels)
    whole = MovingMnist(*sets.values(), SMALL)
    small = MovingMnist(*sets.values(), Motion(canvas=16, size=4, frames=2))
    scenes = whole.sample(5, 2, rng.generator(0, "test"))
    squares = whole.render(scenes).unflatten(4, (4, 4)).unflatten(3, (4, 4))
    torch.testing.assert_close(small.render(scenes), squares.mean((4, 6)))
    positions = [data.factors(scenes)["position"] for data in (whole, small)]
    assert torch.equal(*positions), "positions stay in pixels of the canvas"


@pytest.mark.parametrize(
    "shared",
    [["digit"], ["position"], ["background"], ["digit", "position"], [*FACTORS]],
    ids="+".join,
)
def test_shared_factors_are_equal_and_the_others_independent(shared):
    data, sequence, image = pairs(shared=shared)
    x_t = data.sample(20000, 6, rng.generator(0, "test")).frames(6, 6)
    assert torch.equal(sequence.digit, x_t.digit), "v1 is the beginning of the same sequence"
    same_image = image.background == x_t.background
    equal = {
        "digit": image.digit == x_t.digit,
        "background": same_image & (image.crop == x_t.crop).all(1),
        "position": (image.position == x_t.position).all(2),
    }
    assert {name for name, mask in equal.items() if mask.all()} == {*shared}
    if "digit" not in shared:
        assert equal["digit"].double().mean() == pytest.approx(1 / 40, abs=0.005)
    if "background" not in shared:
        assert same_image.double().mean() == pytest.approx(1 / 40, abs=0.005)
    if "position" not in shared:
        both = torch.cat([image.position[:, 0], x_t.position[:, 0]], 1)
        assert both.mT.corrcoef()[:2, 2:].abs().max() < 0.03


def test_sharing_a_class_shares_no_instance():
    how = {"digit": "class", "background": "class"}
    data, v1, v2 = pairs(shared=("digit", "background"), **how)
    for images, name in ((data.digits, "digit"), (data.backgrounds, "background")):
        index = getattr(v1, name), getattr(v2, name)
        assert torch.equal(images.labels[index[0]], images.labels[index[1]])
        assert not (index[0] == index[1]).any()


def test_every_other_member_of_a_class_is_equally_likely():
    labels = torch.tensor([0, 1, 0, 2, 0, 0, 1])
    others = SameClass(labels)(torch.full((9000,), 2), rng.generator(0, "test"))
    counts = torch.bincount(others, minlength=7)
    assert (counts > 0).tolist() == [True, False, False, False, True, True, False]
    assert counts[[0, 4, 5]].min() > 2800
    assert SameClass(labels)(torch.tensor([3]), rng.generator(0, "test")).tolist() == [3]


def test_v1_depends_on_the_seed_and_not_on_the_sharing():
    first, again, other = (pairs(50, shared)[1:] for shared in (["digit"], ["digit"], ["position"]))
    for a, b in ((first[0], again[0]), (first[1], again[1]), (first[0], other[0])):
        assert all(torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    assert not torch.equal(pairs(50, seed=1)[1].position, first[0].position)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sharing([]), "shared: expected some of digit, position, background"),
        (lambda: Sharing(["colour"]), r"shared: expected some of .* got \['colour'\]"),
        (lambda: Sharing(["digit", "digit"]), "shared: expected some of .* each once"),
        (lambda: Sharing("digits"), "shared: expected some of .* got 'digits'"),
        (lambda: Sharing(["digit"], digit="same"), "sharing.digit: expected one of instance, clas"),
        (lambda: Sharing(["digit"], background="x"), "sharing.background: expected one of image, "),
        (lambda: Motion(frames=0), "motion.frames: expected a whole number of at least 1, got 0"),
        (lambda: Motion(size=0), "motion.size: expected a whole number of at least 1, got 0"),
        (lambda: Motion(size=48), "motion.size: expected a divisor of the canvas, 64, got 48"),
        (lambda: Motion(speed=0.0), "motion.speed: expected a number > 0, got 0.0"),
        (lambda: moving(Motion(canvas=6)), "motion.canvas: expected more than the 6 pixels of a d"),
        (
            lambda: moving(Motion(canvas=21)),
            "motion.canvas: .* at most the 20 of a background, got",
        ),
        (lambda: moving().sample(0, 1, rng.generator(0)), "batch: expected at least 1, got 0"),
        (lambda: load_digits("nowhere"), "digits.root: expected a folder with MNIST/raw in it"),
        (lambda: load_backgrounds("nowhere"), "backgrounds.root: nowhere is not a folder"),
    ],
)
def test_wrong_input_is_refused(make, message):
    with refused(message):
        make()


@pytest.mark.usefixtures("single")
def test_digits_of_scikit_learn_are_split_into_disjoint_sets(monkeypatch):
    data = load_digits()
    assert data.train.images.shape[1:] == (1, 28, 28) and data.train.images.dtype == torch.uint8
    assert len(data.train) + len(data.test) == 1797 and len(data.classes) == 10
    train, test = ({bytes(x.numpy()) for x in s.images} for s in (data.train, data.test))
    assert not train & test
    assert data.train.images.max() > 200 and len(torch.unique(data.test.labels)) == 10
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with refused("digits.root: .* give the folder, or pip install scikit-learn"):
        load_digits()


@pytest.mark.usefixtures("single")
def test_grey_backgrounds_of_a_folder_become_rgb(tmp_path):
    for split in ("train", "val"):
        for name, mode in (("a", "RGB"), ("b", "L")):
            picture(tmp_path / split / name / "1.png", mode, (100, 120))
    data = load_backgrounds(str(tmp_path), cache=str(tmp_path / "cache"))
    assert data.train.images.shape == (2, 3, 96, 96) and data.classes == ("a", "b")
    Image.new("I;16", (100, 120)).save(tmp_path / "train" / "a" / "1.png")
    with refused(""):
        load_backgrounds(str(tmp_path), cache=str(tmp_path / "cache"))
