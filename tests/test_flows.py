"""Properties of every flow, then of single ones."""

import pytest
import torch
import zuko
from reference import coupling as slow_coupling
from refusal import refused
from torch import nn

from infomin.flows import (
    KINDS,
    MIXINGS,
    Composition,
    Coupling,
    FixedAffine,
    InvertibleMixing,
    OrthogonalMixing,
    Rotation,
    build_flow,
    in_chunks,
)
from infomin.flows.build import MOST_LOG_SCALE

C = 3


def family():
    for channels in (2, 5):
        yield FixedAffine(torch.randn(channels, channels), torch.randn(channels)), channels
        yield Rotation(1), channels
        yield OrthogonalMixing(channels), channels
        yield InvertibleMixing(channels), channels
        for kind in KINDS:
            yield Coupling(channels, [0], kind, hidden=7), channels
            yield Coupling(channels, range(1, channels), kind, hidden=7, layers=1), channels
            for mixing in MIXINGS:
                yield build_flow(channels, kind, 3, 7, 2, mixing, mix_output=True), channels


MEMBERS = [
    pytest.param(f, c, id=f"{i}-{type(f).__name__}-{c}") for i, (f, c) in enumerate(family())
]


def randomized(flow):
    """Double precision, and away from the identity."""
    flow = flow.double()
    for p in flow.parameters():
        nn.init.normal_(p, std=0.3)
    return flow


@pytest.mark.parametrize(("flow", "channels"), MEMBERS)
def test_round_trip_both_ways(flow, channels):
    flow, x = randomized(flow), torch.randn(64, channels)
    assert (flow.inverse(flow(x)) - x).abs().max() < 1e-10, flow
    assert (flow(flow.inverse(x)) - x).abs().max() < 1e-10, flow


@pytest.mark.parametrize(("flow", "channels"), MEMBERS)
def test_a_frozen_flow_is_the_same_map_with_constant_matrices_whole_or_in_chunks(flow, channels):
    flow, x = randomized(flow), torch.randn(channels, 1000).mT
    frozen, before = flow.frozen(), x.clone()
    torch.testing.assert_close(frozen(x), flow(x), atol=1e-13, rtol=0)
    torch.testing.assert_close(in_chunks(frozen, x, 64), flow(x), atol=1e-13, rtol=0)
    assert torch.equal(x, before)
    assert not any(isinstance(m, OrthogonalMixing | InvertibleMixing) for m in frozen.modules())


@pytest.mark.parametrize(("flow", "channels"), MEMBERS)
def test_log_det_equals_the_autograd_jacobian_and_pixels_do_not_mix(flow, channels):
    flow, x = randomized(flow), torch.randn(4, channels)
    jacobian = torch.autograd.functional.jacobian(flow, x)  # n c n c
    own = torch.arange(4)
    blocks = jacobian[own, :, own]
    assert (jacobian.square().sum() - blocks.square().sum()).abs() < 1e-12, "no leak"
    log_det = flow.log_abs_det_jacobian(x)
    torch.testing.assert_close(log_det, blocks.slogdet().logabsdet, atol=1e-10, rtol=0)
    y, in_one_pass = flow.forward_and_log_abs_det(x)
    assert torch.equal(y, flow(x))
    torch.testing.assert_close(in_one_pass, log_det, atol=1e-13, rtol=0)


@pytest.mark.parametrize(("flow", "channels"), [m for m in MEMBERS if [*m.values[0].parameters()]])
def test_every_parameter_gets_a_gradient(flow, channels):
    flow, x = randomized(flow), torch.randn(32, channels)
    (flow(x).square().sum() + flow.log_abs_det_jacobian(x).sum()).backward()
    for name, p in flow.named_parameters():
        assert p.grad is not None and p.grad.abs().sum() > 0, (flow, name)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mixing", MIXINGS)
def test_gradcheck(kind, mixing):
    flow = randomized(build_flow(C, kind, 1, 4, 1, mixing))
    x = torch.randn(2, C).requires_grad_()
    assert torch.autograd.gradcheck(flow, x)
    assert torch.autograd.gradcheck(flow.inverse, x)


@pytest.mark.parametrize("mixing", MIXINGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [2, 7])
def test_a_fresh_flow_is_exactly_the_identity(channels, kind, mixing):
    flow = build_flow(channels, kind, 3, mixing=mixing, mix_output=True)
    x = torch.randn(10, channels)
    assert torch.equal(flow(x), x)
    assert torch.equal(flow.float()(x.float()), x.float())


def test_additive_preserves_volume_exactly_and_affine_does_not():
    x = torch.randn(20, C)
    additive = randomized(build_flow(C, "additive", 4, mixing="orthogonal"))
    assert torch.equal(additive.log_abs_det_jacobian(x), torch.zeros(20))
    assert randomized(build_flow(C, "affine", 2)).log_abs_det_jacobian(x).std() > 0.01


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passed", [[0], [1, 2], [0, 2]])
def test_coupling_equals_its_slow_reference(kind, passed):
    flow = randomized(Coupling(C, passed, kind, hidden=6, layers=2))
    x = torch.randn(9, C)
    weights = [(m.weight, m.bias) for m in [*flow.hidden, flow.output]]
    expected = slow_coupling(x, passed, weights, kind, flow.log_scale_bound)
    torch.testing.assert_close(flow(x), expected, atol=1e-12, rtol=0)
    assert torch.equal(flow(x)[:, passed], x[:, passed])


@pytest.mark.parametrize("kind", KINDS)
def test_coupling_equals_zukos(kind):
    ours = randomized(Coupling(C, [0], kind, hidden=6, layers=2))

    def meta(passed):
        out = nn.Sequential(ours.hidden[0], nn.ReLU(), ours.hidden[1], nn.ReLU(), ours.output)(
            passed
        )
        shift = out[..., :2]
        if kind == "additive":
            return zuko.transforms.AdditiveTransform(shift)
        # zuko soft-clips s, ours is a tanh: give zuko the s that its clip turns into ours
        scale = ours.log_scale_bound * torch.tanh(out[..., 2:])
        slope = torch.log(torch.tensor(1e-6)).abs()
        return zuko.transforms.MonotonicAffineTransform(
            shift, scale / (1 - (scale / slope).abs()), slope=1e-6
        )

    theirs = zuko.transforms.CouplingTransform(meta, torch.tensor([True, False, False]))
    x = torch.randn(50, C)
    y, log_det = theirs.call_and_ladj(x)
    log_det = log_det.sum(-1) if log_det.ndim == 2 else log_det  # additive: one a channel
    torch.testing.assert_close(ours(x), y, atol=1e-10, rtol=0)
    torch.testing.assert_close(ours.log_abs_det_jacobian(x), log_det, atol=1e-10, rtol=0)


def test_a_flow_can_be_the_ydbdr_matrix_up_to_a_sign():
    """Products of matrix exponentials reach any matrix of determinant > 0."""
    from infomin.color import linear_space

    target = linear_space("ydbdr").matrix.clone()
    target[2] *= -1  # determinant 1.68: products of exponentials have positive determinants
    mixing = [InvertibleMixing(C), InvertibleMixing(C)]
    # polar decomposition: a rotation times a positive matrix, each the exponential of a logarithm
    u, s, vh = torch.linalg.svd(target)
    rotation, positive = u @ vh, vh.mT @ s.diag() @ vh
    eigenvalues, vectors = torch.linalg.eig(rotation)
    logarithm = (vectors @ eigenvalues.log().diag() @ torch.linalg.inv(vectors)).real
    mixing[0].generator.data = vh.mT @ s.log().diag() @ vh
    mixing[1].generator.data = logarithm
    torch.testing.assert_close(rotation @ positive, target)
    x = torch.rand(20, C)
    torch.testing.assert_close(Composition(mixing)(x), x @ target.mT, atol=1e-10, rtol=0)


def test_flows_compute_in_float32_under_autocast_and_for_half_precision():
    flow = randomized(build_flow(C)).float()
    x = torch.rand(100, C, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        y = flow(x)
        back = flow.inverse(y)
    assert y.dtype == torch.float32
    assert torch.equal(y, flow(x))
    assert (back - x).abs().max() < 1e-5
    assert flow(x.half()).dtype == torch.float32


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 1}, "channels: expected at least 2, got 1"),
        ({"kind": "spline"}, "flow.kind: expected one of additive, affine, got 'spline'"),
        ({"mixing": "lu"}, "flow.mixing: expected one of rotation, orthogonal"),
        ({"blocks": -1}, "flow.blocks: expected at least 0, got -1"),
        ({"log_scale_bound": 0.0}, "flow.log_scale_bound: expected a number > 0, got 0.0"),
        ({"log_scale_bound": 1e308}, "flow.log_scale_bound: expected at most 80.0, got 1e\\+308"),
        ({"blocks": True}, "flow.blocks: expected at least 0, got True"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    with refused(message):
        build_flow(**{"channels": C, **options})


def test_the_largest_scale_and_its_inverse_are_float32_numbers():
    largest = torch.tensor([-MOST_LOG_SCALE, MOST_LOG_SCALE], dtype=torch.float32).exp()
    assert largest.isfinite().all() and largest.min() > 0


def test_chunks_of_scattered_channels_and_of_half_precision():
    flow, x = randomized(Coupling(5, [0, 3], hidden=8, layers=3)), torch.randn(5, 100).mT
    torch.testing.assert_close(in_chunks(flow, x, 64), flow(x), atol=1e-14, rtol=0)
    with torch.autocast("cpu"):
        assert in_chunks(flow.float(), x.bfloat16(), 64).dtype == torch.float32
