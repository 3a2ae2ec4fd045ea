"""InfoNCE block by block: the loss of the whole matrix of scores, and its gradient."""

import pytest
import torch
from refusal import refused
from torch.nn import functional as F

from infomin.losses import cosine_scores, infonce, infonce_in_blocks, top1

K, D, TAU = 11, 5, 0.1


@pytest.mark.parametrize("rows", [1, 3, 4, K, 50])
def test_loss_accuracy_and_gradient_are_those_of_all_scores(rows):
    z = [torch.randn(K, D, requires_grad=True) for _ in range(2)]
    z[1].data.add_(z[0].data)  # so that some positives score highest
    scores = cosine_scores(*z, TAU)
    expected = torch.autograd.grad(3 * infonce(scores), z)
    loss, accuracy = infonce_in_blocks(*z, TAU, rows)
    assert loss.item() == pytest.approx(infonce(scores).item(), abs=1e-12)
    assert 0 < accuracy == pytest.approx(top1(scores))
    for ours, theirs in zip(torch.autograd.grad(3 * loss, z), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


def test_large_scores_do_not_overflow():
    z = F.normalize(torch.randn(8, 4), dim=1).requires_grad_()
    loss, accuracy = infonce_in_blocks(z, z, 1e-4, 3)  # exp(10,000) is infinite
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-9) and accuracy == 1
    assert torch.isfinite(z.grad).all()


def test_equal_embeddings_match_by_chance_as_with_all_scores():
    z = torch.ones(8, 4)
    assert infonce_in_blocks(z, z, TAU, 3)[1] == top1(cosine_scores(z, z, TAU)) == 1 / 8


def test_no_more_than_one_block_of_scores_exists_at_a_time(monkeypatch):
    sizes = []
    matmul = torch.Tensor.__matmul__
    monkeypatch.setattr(
        torch.Tensor, "__matmul__", lambda a, b: sizes.append((len(a), b.shape[-1])) or matmul(a, b)
    )
    z = torch.randn(64, 4, requires_grad=True)
    infonce_in_blocks(z, z + 1, TAU, 8)[0].backward()
    assert max(a * b for a, b in sizes) == 8 * 64


def test_wrong_batches_are_refused():
    for first, second in ((3, 4), (1, 1)):
        with refused(rf"the same 2 or more.*got {first} and {second}"):
            infonce_in_blocks(torch.randn(first, 2), torch.randn(second, 2), TAU, 2)
    z = torch.randn(4, 2)
    with refused("rows: expected a whole number of at least 1, got 0"):
        infonce_in_blocks(z, z, TAU, 0)
    with refused("temperature: expected a number > 0, got 0"):
        infonce_in_blocks(z, z, 0.0, 2)
