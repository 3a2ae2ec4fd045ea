"""Representation metrics: slow references, and embeddings with known values."""

import math

import pytest
import reference
import torch
from scipy.special import hyp0f1
from torch.nn import functional as F

from infomin.evaluation.representation_metrics import (
    alignment,
    deviation,
    effective_rank,
    uniformity,
)


def sphere(n, d):
    return F.normalize(torch.randn(n, d), dim=1)


def test_all_equal_their_definitions():
    z1, z2 = torch.randn(2, 7, 5)
    assert alignment(z1, z2) == pytest.approx(reference.alignment(z1, z2, 2))
    assert uniformity(z1) == pytest.approx(reference.uniformity(z1, 2))
    assert deviation(z1) == pytest.approx(reference.deviation(z1))
    for x in (z1, z1.T, torch.randn(40, 3)):
        assert effective_rank(x) == pytest.approx(reference.effective_rank(x))


def test_embeddings_that_are_all_the_same():
    z = torch.randn(1, 128).repeat(300, 1)
    assert alignment(z, z) == 0
    assert uniformity(z) == 0
    assert deviation(z) == pytest.approx(0, abs=1e-7)
    assert effective_rank(z) == pytest.approx(1, abs=1e-6)
    assert effective_rank(z.float()) == pytest.approx(1, abs=1e-6)


def test_orthonormal_embeddings():
    z = torch.linalg.qr(torch.randn(16, 16)).Q
    assert alignment(z, z.roll(1, 0)) == pytest.approx(2)
    assert uniformity(z) == pytest.approx(-4), "all pairs at a distance of sqrt(2)"
    assert effective_rank(z) == pytest.approx(16)
    assert effective_rank(z[:5]) == pytest.approx(5)
    assert alignment(z, -z) == pytest.approx(4)


def test_embeddings_uniform_on_the_sphere():
    """Of two samples |z - z'|^2 = 2 - 2 cos, and E exp(4 cos) is 0F1(; d/2; 4)."""
    for d in (2, 3, 32):
        z = sphere(2000, d)
        assert uniformity(z) == pytest.approx(math.log(hyp0f1(d / 2, 4)) - 4, abs=0.02)
        assert deviation(z) == pytest.approx(1, abs=0.02)
        assert effective_rank(z) == pytest.approx(d, rel=0.02)
        assert alignment(z, sphere(2000, d)) == pytest.approx(2, abs=0.1)


def test_deviation_is_bounded_by_the_mean_cosine():
    z = sphere(400, 8) + torch.tensor([3.0] + [0.0] * 7)
    unit = F.normalize(z, dim=1)
    cosine = (unit @ unit.T).mean().item()
    assert deviation(z) <= math.sqrt(1 - cosine)


def test_length_and_rotation_change_nothing():
    z, turn = torch.randn(30, 6), torch.linalg.qr(torch.randn(6, 6)).Q
    for measure in (uniformity, effective_rank):
        assert measure(7 * z @ turn) == pytest.approx(measure(z))


def test_directions_of_unequal_weight_count_by_their_entropy():
    # n1 rows along one axis, n2 along another: singular values sqrt(n1), sqrt(n2)
    z = torch.eye(2).repeat_interleave(torch.tensor([16, 4]), 0)
    shares = [4 / 6, 2 / 6]
    assert effective_rank(z) == pytest.approx(math.exp(-sum(p * math.log(p) for p in shares)))
