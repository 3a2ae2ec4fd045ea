"""SimCLR: the loss is NT-Xent of all 2N embeddings."""

import math

import pytest
import reference
from small import BATCH, B, T, build, detached, unit


def test_the_loss_is_nt_xent():
    z, method = detached(unit()), build("simclr")
    loss, metrics = method.loss(z, {}, BATCH)
    assert loss.item() == pytest.approx(reference.nt_xent(z[0], z[1], T), abs=1e-12)
    assert method.cap == math.log(2 * B - 1)
    assert metrics["i_nce"] == pytest.approx(method.cap - loss.item())
