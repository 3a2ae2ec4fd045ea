"""Colorful-Moving-MNIST: how digits move, what a frame shows, and what two views share."""

import sys
from dataclasses import fields

import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from real import DATA, needs
from refusal import picture, refused

from infomin.core import rng
from infomin.data import (
    FACTORS,
    DataSet,
    ImageSet,
    Motion,
    MovingMnist,
    Sharing,
    moving_backgrounds,
    moving_digits,
    moving_mnist,
)
from infomin.data.moving_mnist import trajectory
from infomin.data.sharing import SameClass

SMALL = Motion(canvas=16, frames=4, target=6)


def pieces(n=40, side=6, ground=20, classes=5, seed=1):
    """Random digits and backgrounds, `n` of each."""
    generator = torch.Generator().manual_seed(seed)
    digits = torch.randint(256, (n, 1, side, side), generator=generator).to(torch.uint8)
    grounds = torch.randint(256, (n, 3, ground, ground), generator=generator).to(torch.uint8)
    labels = torch.arange(n) % classes
    return ImageSet(digits, labels), ImageSet(grounds, labels.flip(0))


def scenes(motion=SMALL, **options):
    return MovingMnist(*pieces(**options), motion)


def draws(n=20000, sharing=("digit",), motion=SMALL, seed=0, **how):
    moving = scenes(motion)
    return moving, *moving.pairs(n, Sharing(sharing, **how), rng.generator(seed, "test"))


def test_trajectories_equal_a_slow_loop_that_bounces():
    generator = torch.Generator().manual_seed(0)
    start = 36 * torch.rand(50, 2, generator=generator)
    velocity = 50 * torch.randn(50, 2, generator=generator)  # some cross the canvas in one frame
    fast = trajectory(start, velocity, 30, 36)
    slow = [reference.bouncing(s, v, 30, 36) for s, v in zip(start, velocity, strict=True)]
    torch.testing.assert_close(fast, torch.stack(slow))


@given(st.floats(0, 36), st.floats(-100, 100), st.integers(1, 60))
def test_bouncing_stays_inside_and_starts_where_it_starts(start, velocity, frames):
    path = trajectory(torch.tensor([[start, 0.0]]), torch.tensor([[velocity, 0.0]]), frames, 36)
    assert path.min() >= 0 and path.max() <= 36 + 1e-9
    assert path[0, 0, 0] == pytest.approx(start, abs=1e-9)


def test_the_paper_s_digit_moves_6_4_pixels_a_frame_between_bounces():
    moving = MovingMnist(*pieces(side=28, ground=96), Motion())
    position = moving.draw(2000, 20, rng.generator(0, "test")).position
    assert position.min() >= 0 and position.max() <= 36
    steps = position.diff(dim=1).norm(dim=2)
    assert steps.max() == pytest.approx(6.4) and (steps > 6.4 - 1e-9).double().mean() > 0.6
    first = position[:, 1] - position[:, 0]
    free = (steps[:, 0] > 6.4 - 1e-9) & ((position[:, 0] - 18).abs().amax(1) < 11.5)
    turned = torch.atan2(first[free, 0], first[free, 1])
    assert turned.sin().mean().abs() < 0.1 and turned.cos().mean().abs() < 0.1


@pytest.mark.parametrize("frame", [0, 19])
def test_positions_are_uniform_in_every_frame(frame):
    moving = MovingMnist(*pieces(side=28, ground=96), Motion())
    position = moving.draw(20000, 20, rng.generator(0, "test")).position[:, frame] / 36
    expected = torch.linspace(0.05, 0.95, 19)
    for axis in range(2):
        found = position[:, axis].quantile(expected)
        torch.testing.assert_close(found, expected, atol=0.015, rtol=0)


def test_a_frame_is_a_white_digit_pasted_on_a_crop():
    moving = scenes()
    drawn = moving.draw(5, 3, rng.generator(0, "test"))
    drawn.position.round_()
    frames = moving.render(drawn)
    assert frames.shape == (5, 3, 3, 16, 16)
    for i in range(5):
        top, left = drawn.crop[i].tolist()
        whole = moving.backgrounds.images[drawn.background[i]] / 255
        ground = whole[:, top : top + 16, left : left + 16]
        digit = moving.digits.images[drawn.digit[i], 0] / 255
        for t in range(3):
            place = [int(p) for p in drawn.position[i, t]]
            slow = reference.pasted(ground, digit, *place)
            torch.testing.assert_close(frames[i, t], slow)


def test_a_digit_between_pixels_keeps_its_ink_and_its_centre():
    digits, grounds = pieces()
    black = ImageSet(torch.zeros_like(grounds.images), grounds.labels)
    moving = MovingMnist(digits, black, SMALL)
    drawn = moving.draw(50, 1, rng.generator(0, "test"))
    ink = moving.render(drawn)[:, 0, 0]
    shown = digits.images[drawn.digit, 0] / 255
    torch.testing.assert_close(ink.sum((1, 2)), shown.sum((1, 2)))
    for axis, dims in enumerate(((2,), (1,))):
        along, of_digit = ink.sum(dims), shown.sum(dims)
        centre = (along * torch.arange(16)).sum(1) / along.sum(1)
        expected = (of_digit * torch.arange(6)).sum(1) / of_digit.sum(1)
        torch.testing.assert_close(centre, expected + drawn.position[:, 0, axis])


@pytest.mark.parametrize("bare", ["digits", "backgrounds"])
def test_shrunk_background_and_ink_are_means_over_squares(bare):
    sets = dict(zip(("digits", "backgrounds"), pieces(), strict=True))
    sets[bare] = ImageSet(torch.zeros_like(sets[bare].images), sets[bare].labels)
    whole = MovingMnist(*sets.values(), SMALL)
    shrunk = MovingMnist(*sets.values(), Motion(canvas=16, size=4, frames=2))
    drawn = whole.draw(5, 2, rng.generator(0, "test"))
    squares = whole.render(drawn).unflatten(4, (4, 4)).unflatten(3, (4, 4))
    torch.testing.assert_close(shrunk.render(drawn), squares.mean((4, 6)))
    known = [moving.factors(drawn)["position"] for moving in (whole, shrunk)]
    assert torch.equal(*known), "positions stay in pixels of the canvas"


def test_backgrounds_stay_while_the_digit_moves():
    moving = scenes()
    drawn = moving.draw(20, 4, rng.generator(0, "test"))
    moving.digits.images.zero_()
    frames = moving.render(drawn)
    assert torch.equal(frames, frames[:, :1].expand_as(frames))


@pytest.mark.parametrize(
    "shared",
    [["digit"], ["position"], ["background"], ["digit", "position"], [*FACTORS]],
    ids="+".join,
)
def test_shared_factors_are_shared_and_the_others_independent(shared):
    moving = scenes()
    generator = rng.generator(0, "test")
    sequence, image = moving.pairs(20000, Sharing(shared), generator)
    x_t = moving.draw(20000, 6, rng.generator(0, "test")).frames(6, 6)
    assert torch.equal(sequence.digit, x_t.digit), "v1 is the beginning of the same sequence"
    same = {
        "digit": (image.digit == x_t.digit).double().mean(),
        "background": ((image.background == x_t.background) & (image.crop == x_t.crop).all(1))
        .double()
        .mean(),
        "position": (image.position == x_t.position).all(2).double().mean(),
    }
    assert {name for name, share in same.items() if share == 1} == {*shared}
    if "digit" not in shared:
        assert same["digit"] == pytest.approx(1 / 40, abs=0.005)
    if "background" not in shared:
        assert (image.background == x_t.background).double().mean() == pytest.approx(
            1 / 40, abs=0.005
        )
    if "position" not in shared:
        both = torch.cat([image.position[:, 0], x_t.position[:, 0]], 1)
        assert both.mT.corrcoef()[:2, 2:].abs().max() < 0.03


def test_the_factors_of_one_image_are_independent():
    moving, _, image = draws(sharing=("digit",))
    known = moving.factors(image)
    rows = torch.stack(
        [known["digit"].double(), *known["position"].T, known["background"].double()]
    )
    off = rows.corrcoef() - torch.eye(4)
    assert off.abs().max() < 0.03


def test_sharing_a_class_shares_no_instance():
    how = {"digit": "class", "background": "class"}
    moving, v1, v2 = draws(sharing=("digit", "background"), **how)
    labels = moving.digits.labels
    assert torch.equal(labels[v1.digit], labels[v2.digit])
    assert not (v1.digit == v2.digit).any()
    grounds = moving.backgrounds.labels
    assert torch.equal(grounds[v1.background], grounds[v2.background])
    assert not (v1.background == v2.background).any()


def test_every_other_one_of_a_class_is_equally_likely():
    labels = torch.tensor([0, 1, 0, 2, 0, 0, 1])
    others = SameClass(labels)(torch.full((9000,), 2), rng.generator(0, "test"))
    counts = torch.bincount(others, minlength=7)
    assert (counts > 0).tolist() == [True, False, False, False, True, True, False]
    assert counts[[0, 4, 5]].min() > 2800
    assert SameClass(labels)(torch.tensor([3]), rng.generator(0, "test")).tolist() == [3]


def test_v1_is_the_same_whatever_is_shared_and_a_function_of_the_seed():
    told = [draws(50, shared)[1:] for shared in (("digit",), ("digit",), ("position",))]
    same = [
        [torch.equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)]
        for a, b in (
            (told[0][0], told[1][0]),
            (told[0][1], told[1][1]),
            (told[0][0], told[2][0]),
        )
    ]
    assert all(all(row) for row in same)
    assert not torch.equal(draws(50, seed=1)[1].position, told[0][0].position)


def test_v2_is_built_from_the_frame_that_is_named():
    motion = Motion(canvas=16, frames=4, target=2)
    _, v1, v2 = draws(50, ("position",), motion)
    assert torch.equal(v1.position[:, 1:2], v2.position)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sharing([]), "shared: expected some of digit, position, background"),
        (lambda: Sharing(["colour"]), r"shared: expected some of .* got \['colour'\]"),
        (lambda: Sharing(["digit", "digit"]), "shared: expected some of .* each once"),
        (lambda: Sharing("digits"), "shared: expected some of .* got 'digits'"),
        (
            lambda: Sharing(["digit"], digit="same"),
            "sharing.digit: expected one of instance, class",
        ),
        (lambda: Sharing(["digit"], background="x"), "sharing.background: expected one of image, "),
        (lambda: Motion(frames=0), "motion.frames: expected a whole number of at least 1, got 0"),
        (lambda: Motion(size=0), "motion.size: expected a whole number of at least 1, got 0"),
        (lambda: Motion(size=48), "motion.size: expected a divisor of the canvas, 64, got 48"),
        (lambda: Motion(target=0), "motion.target: expected a whole number of at least 1, got 0"),
        (lambda: Motion(speed=0.0), "motion.speed: expected a number > 0, got 0.0"),
        (
            lambda: scenes(Motion(canvas=6)),
            "motion.canvas: expected more than the 6 pixels of a digit, got 6",
        ),
        (
            lambda: scenes(Motion(canvas=21)),
            "motion.canvas: expected at most the 20 pixels of a background, got 21",
        ),
        (lambda: scenes().draw(0, 1, rng.generator(0)), "batch: expected at least 1, got 0"),
        (lambda: moving_digits("nowhere"), "digits.root: expected a folder with MNIST/raw in it"),
        (lambda: moving_backgrounds("nowhere"), "backgrounds.root: nowhere is not a folder"),
    ],
)
def test_wrong_input_is_told(make, message):
    with refused(message):
        make()


def test_one_class_is_refused():
    digits, grounds = pieces()
    one = ImageSet(digits.images, torch.zeros_like(digits.labels))
    with refused("data ones: Colorful-Moving-MNIST needs at least 2 classes, got 1"):
        moving_mnist(
            DataSet("ones", one, one, ("1", "2")), DataSet("g", grounds, grounds, ()), SMALL
        )


@pytest.mark.usefixtures("single")
def test_without_a_root_digits_are_scikit_learns_and_disjoint():
    data = moving_digits()
    assert data.train.images.shape[1:] == (1, 28, 28) and data.train.images.dtype == torch.uint8
    assert len(data.train) + len(data.test) == 1797 and len(data.classes) == 10
    train, test = ({bytes(x.numpy()) for x in s.images} for s in (data.train, data.test))
    assert not train & test
    assert data.train.images.max() > 200 and len(torch.unique(data.test.labels)) == 10


def test_without_scikit_learn_one_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with refused("digits.root: .* pip install scikit-learn, or give a folder with MNIST/raw"):
        moving_digits()


@pytest.mark.usefixtures("single")
def test_backgrounds_of_a_folder_may_be_grey(tmp_path):
    for split in ("train", "val"):
        for name, mode in (("a", "RGB"), ("b", "L")):
            picture(tmp_path / split / name / "1.png", mode, (100, 120))
    data = moving_backgrounds(str(tmp_path), cache=str(tmp_path / "cache"))
    assert data.train.images.shape == (2, 3, 96, 96) and data.classes == ("a", "b")
    Image.new("I;16", (100, 120)).save(tmp_path / "train" / "a" / "1.png")
    with refused(""):
        moving_backgrounds(str(tmp_path), cache=str(tmp_path / "cache"))


@needs("imagenette96")
@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_real_backgrounds_are_natural_images(tmp_path):
    data = moving_backgrounds(str(DATA / "imagenette96"), cache=str(tmp_path))
    assert data.channels == 3 and data.size == 96 and len(data.classes) == 10
    assert len(data.train) > 9000 and data.train.images.double().std() > 30
