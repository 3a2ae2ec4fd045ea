"""Sensors as views: colour is scikit-image's, normals are those of planes, encoders can be left."""

import pytest
import torch
from refusal import refused
from skimage.color import rgb2lab

from infomin.views import ModalityViews
from infomin.views.modalities import MODALITIES, blurred, normals

FOCAL = 86.0


def plane(normal, size=24, distance=0.4):
    """The depth of a plane, and its unit normal."""
    n = torch.nn.functional.normalize(torch.tensor(normal), dim=0)
    u = (torch.arange(size) - (size - 1) / 2) / FOCAL
    y, x = torch.meshgrid(u, u, indexing="ij")
    return (distance / (n[0] * x + n[1] * y + n[2]))[None, None], n


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.3, -0.5, 0.8)])
def test_a_plane_has_its_normal_everywhere(normal):
    depth, n = plane(normal)
    actual = normals(depth, FOCAL)
    assert actual.shape == (1, 3, 24, 24)
    inside = actual[0, :, 2:-2, 2:-2]
    torch.testing.assert_close(inside, n.view(3, 1, 1).expand_as(inside), atol=1e-12, rtol=0)


def test_normals_do_not_depend_on_the_unit_of_depth_and_turn_with_a_flip():
    depth, _ = plane((0.3, -0.5, 0.8))
    actual = normals(depth, FOCAL)
    torch.testing.assert_close(normals(0.3 * depth, FOCAL), actual, atol=1e-12, rtol=0)
    flipped = normals(depth.flip(-1), FOCAL).flip(-1)
    expected = actual * torch.tensor([-1.0, 1.0, 1.0]).view(3, 1, 1)
    torch.testing.assert_close(flipped, expected, atol=1e-12, rtol=0)


def test_views_are_what_they_are_called():
    x = torch.rand(2, 4, 8, 8)
    views = ModalityViews()
    light, color, depth, directions = views.split(x)
    assert views.view_channels == (1, 2, 1, 3) and views.crops == 4
    lab = torch.from_numpy(rgb2lab(x[:, :3].movedim(1, -1).numpy())).movedim(-1, 1)
    torch.testing.assert_close(50 * (light + 1), lab[:, :1], atol=1e-3, rtol=0)
    assert color.abs().max() <= 1 and torch.equal(depth, 2 * x[:, 3:] - 1)
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(2, 8, 8))
    other = ModalityViews(["normals", "L"], crops="shared")
    assert other.view_channels == (3, 1) and other.crops == 1 and str(other) == "normals-L"
    assert torch.equal(other.split(x)[1], light)


def test_depth_in_steps_has_the_normal_of_its_slope_once_it_is_smooth():
    depth, n = plane((0.3, -0.5, 0.8), size=48)
    steps = (depth * 255).round() / 255
    inside = (slice(None), slice(8, -8), slice(8, -8))
    off = [
        (normals(blurred(steps, s), FOCAL)[0][inside] - n.view(3, 1, 1)).norm(dim=0).mean()
        for s in (0, 1.5)
    ]
    assert off[1] < 0.35 * off[0] and off[1] < 0.1


def test_no_depth_at_all_has_finite_normals():
    assert normals(torch.zeros(1, 1, 8, 8), FOCAL).isfinite().all()


def test_what_is_no_modality_is_told():
    known = ", ".join(MODALITIES)
    for wrong in (["L"], ["L", "ab", "L"], ["L", "heat"]):
        with refused(f"views.names: expected two or more of {known}, each once, got"):
            ModalityViews(wrong)
    with refused("views.focal: expected a number > 0, got 0"):
        ModalityViews(focal=0)
    with refused("views.smooth: expected at least 0, got -1"):
        ModalityViews(smooth=-1)
    with refused("views: modalities are those of R, G, B and depth, got 3 channels"):
        ModalityViews(channels=3)
