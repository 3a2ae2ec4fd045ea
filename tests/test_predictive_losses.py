"""L1 and L2 of predicted pixels: slow references, gradients, what they are of nothing known."""

import pytest
import reference
import torch
from refusal import refused

from infomin.losses import l1, l2

SHAPE = (3, 2, 5, 4)


@pytest.mark.parametrize(("loss", "power"), [(l1, 1), (l2, 2)])
def test_a_loss_equals_its_slow_reference_and_has_its_gradient(loss, power):
    p, v = torch.randn(SHAPE, requires_grad=True), torch.randn(SHAPE)
    found = loss(p, v)
    assert found.item() == pytest.approx(reference.pixel_error(p, v, power), abs=1e-12)
    assert torch.autograd.gradcheck(lambda p: loss(p, v), p)
    assert loss(v, v).item() == 0 and loss(v + 3, v).item() == pytest.approx(3**power)
    assert loss(2 * p, 2 * v).item() == pytest.approx(2**power * found.item())
    assert loss(p, v).item() == loss(v, p).item()


def test_without_knowledge_they_are_the_absolute_deviation_and_the_variance():
    v = torch.randn(1, 1, 1001, 1)
    median, mean = (v.median().expand_as(v), v.mean().expand_as(v))
    assert l2(mean, v).item() == pytest.approx(v.var(correction=0).item())
    assert l1(median, v).item() == pytest.approx((v - v.median()).abs().mean().item())
    for shift in (-0.1, 0.1):
        assert l1(median + shift, v) > l1(median, v) and l2(mean + shift, v) > l2(mean, v)
    uniform = torch.linspace(-1, 1, 100_001)[None, None, None]
    nothing = torch.zeros_like(uniform)
    assert l1(nothing, uniform).item() == pytest.approx(1 / 2, abs=1e-4)
    assert l2(nothing, uniform).item() == pytest.approx(1 / 3, abs=1e-4)


def test_shapes_that_do_not_fit_are_told():
    with refused(r"predicted: expected the shape of the target, b c h w = \[3, 2, 5, 4\] with at "):
        l1(torch.zeros(3, 1, 5, 4), torch.zeros(SHAPE))
    with refused(r"at least one pixel, got \[0, 2, 5, 4\]"):
        l2(torch.zeros(0, 2, 5, 4), torch.zeros(0, 2, 5, 4))
