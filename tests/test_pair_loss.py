"""Losses of one direction by name: the constant Z of the logistic loss, and wrong options."""

from itertools import pairwise

import pytest
import torch
from refusal import refused

from infomin.losses import estimated_log_z
from infomin.methods.contrastive import build_pair_loss

B, M, N, T = 5, 7, 100, 0.2


def scores():
    return torch.randn(B), torch.randn(B, M)


@pytest.mark.parametrize(
    ("every", "changes"), [(0, [False] * 4), (2, [False, True, False, True])], ids=str
)
def test_z_of_a_direction_is_set_by_its_first_batch_and_estimated_anew_when_due(every, changes):
    loss, known = build_pair_loss({"name": "logistic", "every": every}, 2, N, T), []
    for step in range(5):
        positive, negatives = scores()
        loss(positive, negatives, 1)
        known.append(loss.log_z.clone())
        if step == 0:
            assert loss.log_z[1] == estimated_log_z(negatives, N) and loss.log_z[0] == 0
    assert [not torch.equal(a, b) for a, b in pairwise(known)] == changes
    loss.eval()(*scores(), 1)
    assert torch.equal(loss.log_z, known[-1])


def test_the_margin_of_triplet_is_one_of_cosines():
    loss = build_pair_loss({"name": "triplet", "margin": 0.5}, 2, N, T)
    same = torch.ones(B), torch.ones(B, M)
    assert loss(*same, 0).item() == pytest.approx(0.5)
    assert loss(same[0] + 1, same[1], 0).item() == pytest.approx(0.5 - T)


def test_wrong_options_are_refused():
    for options, message in (
        ({"name": "triplet", "margin": 0}, r"loss.margin: expected a difference of .* \(0, 2\], g"),
        ({"name": "logistic", "every": -1}, "loss.every: expected a whole number of at least 0"),
        ({"name": "infonce", "margin": 1}, "loss=infonce: .*unexpected keyword argument 'margin'"),
    ):
        with refused(message):
            build_pair_loss(options, 2, N, T)
