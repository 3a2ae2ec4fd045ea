"""Two patches of one image: where they lie, that nothing is changed, and what is refused."""

import pytest
import torch
from batched import crops_of
from refusal import refused
from trainers import make_trainer

from infomin.augment import CropFlip, Pipeline, Whole
from infomin.augment.color_jitter import ColorJitter
from infomin.core import rng
from infomin.data import Batches
from infomin.evaluation import held_out_i_nce
from infomin.runs.pictures import views_picture
from infomin.views import PatchViews

HEIGHT, WIDTH, PATCH = 13, 17, 4


def coordinates(n):
    """Images of which every pixel says where it is: rows, then columns."""
    rows, columns = torch.arange(HEIGHT).double(), torch.arange(WIDTH).double()
    one = torch.stack([rows[:, None].expand(HEIGHT, WIDTH), columns.expand(HEIGHT, WIDTH)])
    return one.expand(n, 2, HEIGHT, WIDTH)


def corners(distance, n=4000):
    """Upper left corners of both patches, `(n, 2)` each, after checking that they are patches."""
    views = PatchViews(2, PATCH, distance, value_range=(0, 100))
    made = views(coordinates(n), params=views.sample(n, rng.generator(0, "places")))
    places = []
    for view in made:
        pixels = (view + 1) * 50
        at = pixels[:, :, 0, 0]
        steps = torch.arange(PATCH).double()
        grid = torch.stack([steps[:, None].expand(PATCH, PATCH), steps.expand(PATCH, PATCH)])
        torch.testing.assert_close(pixels, at[:, :, None, None] + grid)
        places.append(at.round().long())
    return places


@pytest.mark.parametrize("distance", [0, 4, 9])
def test_patches_lie_d_apart_on_either_diagonal_and_every_pair_is_as_likely(distance):
    first, second = corners(distance)
    steps = second - first
    assert (steps.abs() == distance).all(), "as far along both axes"
    pairs = torch.cat([first, second], 1)
    counts = pairs.unique(dim=0, return_counts=True)[1]
    room = (HEIGHT - PATCH - distance + 1) * (WIDTH - PATCH - distance + 1)
    kinds = room * (4 if distance else 1)
    assert len(counts) == kinds, "every pair that fits is drawn, also those at the border"
    expected = len(pairs) / kinds
    chi2 = ((counts - expected) ** 2 / expected).sum().item()
    assert chi2 < kinds + 4 * (2 * kinds) ** 0.5 + 4


def test_both_views_see_the_same_places_and_mirrored_ones():
    """Always (x, y) and (x + d, y + d) would put v1 up and left of v2."""
    first, second = (c.double() for c in corners(8))
    middle = torch.tensor([(HEIGHT - PATCH) / 2, (WIDTH - PATCH) / 2])
    for at in (first, second):
        assert ((at.mean(0) - middle).abs() < 0.25).all()


def test_no_distance_gives_one_patch_twice():
    views = PatchViews(3, 8, 0)
    v1, v2 = views(torch.rand(5, 3, 20, 30), params=views.sample(5, rng.generator(0, "places")))
    assert torch.equal(v1, v2) and v1.shape == (5, 3, 8, 8)


@pytest.mark.parametrize("kind", [torch.uint8, torch.uint16, torch.float64])
def test_patches_of_any_type_are_pixels_scaled(kind):
    top = {torch.uint8: 255, torch.uint16: 4095, torch.float64: 1}[kind]
    low_high = (0, 1) if kind == torch.uint8 else (0, top)
    frames = (torch.rand(6, 3, 12, 12) * top).to(kind)
    views = PatchViews(3, 8, 4, low_high)
    places = views.sample(6, rng.generator(0, "places"))
    v1, v2 = views(frames, params=places)
    for i in range(6):
        below, beside = 4 * places.below[i], 4 * places.beside[i]  # the pair fills the frame
        cut = frames[i].double()[:, below : below + 8, beside : beside + 8]
        torch.testing.assert_close(v1[i].double(), 2 * cut / top - 1)
        cut = frames[i].double()[:, 4 - below : 12 - below, 4 - beside : 12 - beside]
        torch.testing.assert_close(v2[i].double(), 2 * cut / top - 1)


def test_draws_are_a_function_of_the_stream_and_a_part_gets_its_own():
    views, frames = PatchViews(3, 4, 3), torch.rand(12, 3, 16, 16)
    places = [views.sample(12, rng.generator(0, "combine", step)) for step in (7, 7, 8)]
    one, same, other = (views(frames, params=p)[1] for p in places)
    assert torch.equal(one, same) and not torch.equal(one, other)
    part = slice(4, 8)
    assert torch.equal(views(frames[part], params=places[0][part])[1], one[part])


def test_whole_images_come_as_they_are_and_colours_can_change():
    images = torch.randint(0, 256, (8, 3, 10, 14), dtype=torch.uint8)
    (cut,), chosen = crops_of(Batches(8, 5, 0, "t"), images, 0, Whole(), 1, slice(1, 4))
    assert cut.dtype == torch.uint8 and torch.equal(cut, images[chosen]) and len(cut) == 3
    jitter = ColorJitter(brightness=0.5)
    (changed,), _ = crops_of(Batches(8, 5, 0, "t"), images, 0, Pipeline(Whole(), jitter), 1)
    assert changed.shape == (5, 3, 10, 14) and changed.is_floating_point()
    assert Whole().output_size(10, 14) == Pipeline(Whole(), jitter).output_size(10, 14) == (10, 14)
    assert CropFlip(6).output_size(10, 14) == (6, 6)
    assert Pipeline(CropFlip(6), jitter).output_size(10, 14) == (6, 6)


def pretraining(images, views, augment=None):
    net = {"name": "fourconv", "size": 8, "dim": 8, "widths": [4], "pools": 1}
    settings = {"epochs": 1, "batch": 8}
    return make_trainer(views, images, augment=augment or Whole(), net=net, settings=settings)


@pytest.mark.usefixtures("single")
def test_patches_train_and_are_held_out_as_they_were_trained():
    images = torch.randint(0, 256, (16, 3, 20, 28), dtype=torch.uint8)
    learner = pretraining(images, PatchViews(3, 8, 6))
    again = pretraining(images, PatchViews(3, 8, 6))
    assert torch.equal(*(t.loader.load(1, t.share)[0][1] for t in (learner, again))), (
        "whatever came before step 1"
    )
    assert [m["loss"] for m in learner] == [m["loss"] for m in again]
    near, far = (
        held_out_i_nce(PatchViews(3, 8, d), learner.method.encoders, images, Whole(), 0.1, 16)
        for d in (0, 12)
    )
    assert near.images == 16 and near.value != far.value


def test_what_does_not_fit_is_refused_before_the_training(single):
    images = torch.zeros(16, 3, 20, 28, dtype=torch.uint8)
    larger = "of images of 28x20; data.size=N augment=whole leaves more"
    with refused(f"views.patch: expected 1..20 pixels {larger}, got 21"):
        pretraining(images, PatchViews(3, 21, 0))
    with refused(f"views.distance: expected 0..12 pixels beside patches of 8 {larger}, got 13"):
        pretraining(images, PatchViews(3, 8, 13))
    with refused("views.distance: expected 0..0 pixels .*augment=whole leaves more, got 1"):
        pretraining(images, PatchViews(3, 8, 1), CropFlip(8))
    pretraining(images, PatchViews(3, 8, 12))
    views = PatchViews(3, 8, 13)
    with refused("views.distance: expected 0..12"):
        views(images, params=views.sample(16, rng.generator(0, "places")))
    for distance in (-1, True):
        with refused(f"views.distance: expected a whole number of at least 0, got {distance}"):
            PatchViews(distance=distance)
    with refused("views.patch: expected a whole number of at least 1, got 0"):
        PatchViews(patch=0)


def test_the_picture_shows_the_patches_in_colour():
    views, x = PatchViews(3, 4, 3), torch.rand(5, 3, 16, 16)
    places = views.sample(5, rng.generator(0, "picture"))
    figure = views_picture(views, x, "title", params=places)
    assert [axis.get_ylabel() for axis in figure.axes] == ["images", "view 1", "view 2"]
    for v in (*views.split(x), *views(x)):
        torch.testing.assert_close(v, 2 * x - 1)
    whole, first, _ = (axis.images[0].get_array() for axis in figure.axes)
    assert whole.shape == (16, 5 * 17, 3) and first.shape == (4, 5 * 5, 3)
    v1, _ = views(x, params=places)
    expected = (v1[0].permute(1, 2, 0) + 1) / 2
    torch.testing.assert_close(torch.tensor(first[:, :4]), expected, atol=1e-6, rtol=0)
    deep = views_picture(
        PatchViews(4, 4, 3), torch.rand(5, 4, 16, 16), "", ["R", "G", "B", "depth"]
    )
    assert len(deep.axes) == 2 + 8, "colours and depth, and each channel of each view"
