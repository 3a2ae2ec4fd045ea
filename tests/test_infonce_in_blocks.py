"""InfoNCE block by block: that of the whole matrix of scores, and its gradient."""

import pytest
import torch

from infomin.core.errors import InputError
from infomin.losses import cosine_scores, infonce, infonce_in_blocks, matched

K, D, TAU = 11, 5, 0.1


@pytest.mark.parametrize("rows", [1, 3, 4, K, 50])
def test_loss_accuracy_and_gradient_are_those_of_all_scores(rows):
    z = [torch.randn(K, D, requires_grad=True) for _ in range(2)]
    z[1].data.add_(z[0].data)  # so that some are matched
    scores = cosine_scores(*z, TAU)
    (3 * infonce(scores)).backward()
    expected = [of_view.grad.clone() for of_view in z]
    for of_view in z:
        of_view.grad = None
    loss, accuracy = infonce_in_blocks(*z, TAU, rows)
    (3 * loss).backward()
    assert loss.item() == pytest.approx(infonce(scores).item(), abs=1e-12)
    assert 0 < accuracy == pytest.approx(matched(scores))
    for of_view, theirs in zip(z, expected, strict=True):
        torch.testing.assert_close(of_view.grad, theirs, atol=1e-10, rtol=0)


def test_the_gradient_is_that_of_finite_differences():
    z = [torch.randn(6, 3, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(lambda *z: infonce_in_blocks(*z, 0.5, 4)[0], z)


def test_no_score_is_too_large():
    z = torch.nn.functional.normalize(torch.randn(8, 4), dim=1).requires_grad_()
    loss, accuracy = infonce_in_blocks(z, z, 1e-4, 3)  # exp(10,000) is none
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-9) and accuracy == 1
    assert torch.isfinite(z.grad).all()


def test_the_same_embedding_everywhere_matches_by_chance_as_all_scores_do():
    z = torch.ones(8, 4)
    assert infonce_in_blocks(z, z, TAU, 3)[1] == matched(cosine_scores(z, z, TAU)) == 1 / 8


def test_scores_are_never_there_all_at_once(monkeypatch):
    sizes = []
    matmul = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: sizes.append((len(a), b.shape[-1])) or matmul(a, b)
    )
    z = torch.randn(64, 4, requires_grad=True)
    infonce_in_blocks(z, z + 1, TAU, 8)[0].backward()
    assert max(a * b for a, b in sizes) == 8 * 64


def test_wrong_batches_are_told():
    for first, second in ((3, 4), (1, 1)):
        with pytest.raises(InputError, match=rf"the same 2 or more.*got {first} and {second}"):
            infonce_in_blocks(torch.randn(first, 2), torch.randn(second, 2), TAU, 2)
    with pytest.raises(InputError, match="rows"):
        infonce_in_blocks(torch.randn(4, 2), torch.randn(4, 2), TAU, 0)
