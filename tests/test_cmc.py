"""CMC and InstDis: one matrix for both directions, blocks of it, and the numbers of their bank."""

import math

import pytest
import reference
import torch
from small import BANK, BATCH, INDEX, B, D, N, T, build, detached, unit

from infomin.losses import infonce, pair_scores


def test_in_batch_infonce_is_the_default_and_a_sum_over_pairs():
    z = detached(unit(3))
    losses = [infonce(scores).item() for scores in pair_scores([*z.values()], T)]
    loss, metrics = build("cmc", 3).loss(z, {}, BATCH)
    assert loss.item() == pytest.approx(sum(losses))
    assert metrics["i_nce"] == pytest.approx(math.log(B) - sum(losses) / 3)
    core = build("cmc", 3, graph="core").loss(z, {}, BATCH).loss
    assert core.item() == pytest.approx(losses[0] + losses[1])


def test_in_chunks_a_batch_is_compared_as_the_whole():
    z = unit(3)
    whole, parts = (build("cmc", 3, chunk=chunk).loss(z, {}, BATCH) for chunk in (None, 2))
    assert parts.loss.item() == pytest.approx(whole.loss.item(), abs=1e-12)
    assert parts.metrics == pytest.approx(whole.metrics, abs=1e-12)
    of_whole, of_parts = (torch.autograd.grad(o.loss, [*z.values()]) for o in (whole, parts))
    for ours, theirs in zip(of_parts, of_whole, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ["cmc", "instdis"])
@pytest.mark.parametrize("loss", ["infonce", "logistic"])
def test_a_bank_has_the_numbers_of_the_authors_code(name, loss):
    """Same tensors, rows, indices and Z as CMC's NCEAverage and criteria."""
    memory = {**BANK, "draws": "per_sample"}
    z = unit()
    method = build(name, shared=True, loss={"name": loss}, memory=memory).double()
    rows = method.bank.bank.rows.clone()
    assert rows.shape == (1 if name == "instdis" else 2, N, D)
    drawn = torch.cat([INDEX[:, None], method.bank.draw(0, BATCH)], 1)
    output = method.loss(z, {}, BATCH)
    method.update(z, {}, BATCH)
    losses = []
    for view, other in ((0, 0),) if name == "instdis" else ((0, 1), (1, 0)):
        scores, moved = reference.cmc_bank_step(
            rows[view], rows[other], z[view].detach(), INDEX, drawn, T, momentum=0.5
        )
        positive, negatives = scores[:, 0], scores[:, 1:]
        if loss == "logistic":
            z_of_first_batch = negatives.exp().mean().item() * N
            losses.append(reference.logistic(positive, negatives, z_of_first_batch, N))
        else:
            losses.append(reference.sampled_softmax(positive, negatives))
        torch.testing.assert_close(method.bank.bank.rows[view], moved, atol=1e-6, rtol=0)
    assert output.loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    gradients = torch.autograd.grad(output.loss, [*z.values()], allow_unused=True)
    assert (gradients[1] is None) == (name == "instdis")
