"""Linear spaces are scikit-image's and invertible; one-way spaces are kornia's."""

import pytest
import skimage.color
import torch
from refusal import refused

from infomin.color import LINEAR_SPACES, ONE_WAY_SPACES, convert, linear_space
from infomin.flows import to_rows

WITH_ORACLE = [s for s in LINEAR_SPACES if s not in ("rgb", "opponent")]


@pytest.mark.parametrize("space", [*WITH_ORACLE, "lab", "luv", "hsv"])
def test_a_space_equals_scikit_images(space):
    images = torch.rand(2, 3, 5, 7)
    expected = torch.from_numpy(
        getattr(skimage.color, f"rgb2{space}")(images.numpy(), channel_axis=1)
    )
    if space == "hsv":
        expected[:, 0] *= 2 * torch.pi  # kornia's hue is in radians
    # the libraries round the white point differently, and BT.601 has six digits in our table
    atol = {"lab": 0.02, "luv": 0.02, "ypbpr": 1e-3, "hsv": 1e-6}.get(space, 1e-10)
    torch.testing.assert_close(convert(images, space), expected, atol=atol, rtol=0)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("space", LINEAR_SPACES)
def test_linear_space_round_trip_both_ways(space, normalize):
    flow = linear_space(space, normalize=normalize)
    x = torch.rand(100, 3)
    torch.testing.assert_close(flow.inverse(flow(x)), x, atol=1e-12, rtol=0)
    torch.testing.assert_close(flow(flow.inverse(x)), x, atol=1e-12, rtol=0)


@pytest.mark.parametrize("space", LINEAR_SPACES + ONE_WAY_SPACES)
def test_normalised_channels_fill_minus_one_to_one(space):
    levels = torch.linspace(0, 1, 17)
    cube = torch.cartesian_prod(levels, levels, levels).mT.reshape(1, 3, 17, -1)
    y = convert(cube, space, normalize=True)
    assert y.amin() >= -1.001 and y.amax() <= 1.001
    assert (y.amax((0, 2, 3)) > 0.9).all() and (y.amin((0, 2, 3)) < -0.9).all()


@pytest.mark.parametrize("space", LINEAR_SPACES + ONE_WAY_SPACES)
def test_conversion_is_differentiable(space):
    images = torch.rand(1, 3, 2, 2).requires_grad_()
    convert(images, space).sum().backward()
    assert images.grad is not None and images.grad.isfinite().all()


def test_grey_has_no_chroma():
    grey = torch.rand(2, 1, 4, 4).expand(-1, 3, -1, -1)
    for space in ("ydbdr", "yiq", "yuv", "ypbpr", "opponent"):
        assert convert(grey, space)[:, 1:].abs().max() < 2e-3, space


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rgb_keeps_any_number_of_channels_and_is_scaled_bit_by_bit_as_by_its_matrix(dtype):
    x = torch.rand(2, 6, 3, 3, dtype=dtype)
    assert torch.equal(convert(x, "rgb"), x)
    flow = linear_space("rgb", 6, normalize=True, dtype=dtype)
    assert torch.equal(to_rows(convert(x, "rgb", normalize=True)), flow(to_rows(x)))


def test_unknown_spaces_and_generators_from_one_way_spaces_are_refused():
    with refused("color: expected one of rgb, ydbdr.*got 'cmyk'"):
        convert(torch.rand(1, 3, 2, 2), "cmyk")
    with refused("color: expected one of rgb, .*got 'lab', which has no exact"):
        linear_space("lab")


@pytest.mark.parametrize("space", ["ydbdr", "hsv"])
def test_other_channel_counts_are_refused(space):
    with refused(f"color: {space} needs 3 channels, got 4"):
        convert(torch.rand(1, 4, 2, 2), space)
