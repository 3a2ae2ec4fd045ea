"""InfoNCE: identities, references, gradients."""

import pytest
import reference
import torch

from infomin.core.errors import InputError
from infomin.losses import cosine_scores, infonce, matched, pair_scores


@pytest.mark.parametrize("k", [2, 5, 16])
def test_infonce_equals_its_slow_reference(k):
    scores = torch.randn(k, k)
    assert infonce(scores).item() == pytest.approx(reference.infonce(scores), abs=1e-12)


def test_it_is_symmetric_and_ignores_what_all_scores_share():
    scores = torch.randn(9, 9)
    assert infonce(scores).item() == pytest.approx(infonce(scores.mT).item())
    assert infonce(scores + 5).item() == pytest.approx(infonce(scores).item())


def test_gradcheck():
    z1, z2 = (torch.randn(4, 3, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda a, b: infonce(cosine_scores(a, b, 0.5)), (z1, z2))


def test_scores_are_cosines():
    z = torch.randn(5, 8)
    scores = cosine_scores(z, 3 * z, 0.1)
    torch.testing.assert_close(scores.diagonal(), torch.full((5,), 10.0))
    assert scores.abs().max() <= 10 + 1e-9


def test_pairs_of_views():
    z = [torch.randn(4, 3) for _ in range(4)]
    assert len(pair_scores(z, 0.1)) == 6
    torch.testing.assert_close(pair_scores(z[:2], 0.1)[0], cosine_scores(z[0], z[1], 0.1))


def test_matched():
    assert matched(torch.eye(4)) == 1
    assert matched(1 - torch.eye(4)) == 0


def test_one_sample_is_no_contrast():
    with pytest.raises(InputError, match="at least 2 pairs, got 1"):
        infonce(torch.zeros(1, 1))
