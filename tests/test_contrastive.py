"""Contrastive methods: each loss is that of a slow loop, over the pairs of views of a batch."""

import math
from itertools import pairwise

import pytest
import reference
import torch
from refusal import refused
from small import (
    BANK,
    BATCH,
    CONTRASTS,
    INDEX,
    LOSSES,
    QUEUE,
    B,
    D,
    N,
    T,
    build,
    detached,
    slow_loss,
    small_trainer,
    unit,
)

from infomin.losses import estimated_log_z, infonce, pair_scores, view_pairs
from infomin.methods.contrastive import build_pair_loss
from infomin.methods.moco import MoCo
from infomin.views import ChannelViews

of_contrasts = pytest.mark.parametrize(("name", "options"), CONTRASTS, ids=str)
of_losses = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])


def embeddings(method, views):
    """Embeddings of these views, and targets; queries and keys of MoCo."""
    if not isinstance(method, MoCo):
        return {i: e for i, e in detached(unit(3)).items() if i in views}, {}
    z, targets = detached(unit(3)), detached(unit(3))
    queries, keys = ({*part} & {*views} for part in (method.anchors, method.others))
    return {i: z[i] for i in queries}, {j: targets[j] for j in keys}


@of_contrasts
@of_losses
def test_the_loss_is_that_of_a_slow_loop(name, options, loss):
    pairs = view_pairs(3, "own" if name == "instdis" else options.get("graph", "full"))
    weights = [2.0, 0.5, 1.0][: len(pairs)]
    method = build(name, 3, shared=True, loss=loss, pair_weights=weights, **options).double()
    z, targets = embeddings(method, [0, 1, 2])
    output = method.loss(z, targets, BATCH)
    assert output.loss.item() == pytest.approx(slow_loss(method, z, targets, BATCH), abs=1e-9)
    assert output.metrics["i_nce"] <= method.cap and 0 <= output.metrics["accuracy"] <= 1


@pytest.mark.parametrize(("name", "options"), CONTRASTS[:-1], ids=str)
def test_a_batch_that_lacks_a_view_has_the_loss_of_its_other_pairs(name, options):
    method = build(name, 3, shared=True, **options).double()
    z, targets = embeddings(method, [0, 2])
    output = method.loss(z, targets, BATCH)
    assert output.loss.item() == pytest.approx(slow_loss(method, z, targets, BATCH), abs=1e-9)
    method.update(z, targets, BATCH)


def test_the_loss_of_simclr_is_nt_xent():
    z, method = detached(unit()), build("simclr")
    loss, metrics = method.loss(z, {}, BATCH)
    assert loss.item() == pytest.approx(reference.nt_xent(z[0], z[1], T), abs=1e-12)
    assert method.cap == math.log(2 * B - 1)
    assert metrics["i_nce"] == pytest.approx(method.cap - loss.item())


def test_i_nce_is_a_mean_over_pairs_whatever_the_loss():
    z = detached(unit(3))
    softmax = build("cmc", 3).loss(z, {}, BATCH)
    expected = math.log(len(INDEX)) - softmax.loss.item() / 3
    for loss in LOSSES:
        metrics = build("cmc", 3, loss=loss, pair_weights=[1, 0, 0]).loss(z, {}, BATCH).metrics
        assert metrics["i_nce"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("every", "changes"), [(0, [False] * 4), (2, [False, True, False, True])], ids=str
)
def test_z_of_a_direction_is_set_by_its_first_batch_and_estimated_anew_when_due(every, changes):
    loss, known = build_pair_loss({"name": "logistic", "every": every}, 2, N, T), []
    for step in range(5):
        positive, negatives = torch.randn(B), torch.randn(B, 7)
        loss(positive, negatives, 1)
        known.append(loss.log_z.clone())
        if step == 0:
            first = estimated_log_z(positive, negatives, N)
            assert loss.log_z[1] == first and loss.log_z[0] == 0
    assert [not torch.equal(a, b) for a, b in pairwise(known)] == changes
    loss.eval()(positive + 1, negatives - 1, 1)
    assert torch.equal(loss.log_z, known[-1])


def test_the_margin_of_triplet_is_one_of_cosines():
    loss = build_pair_loss({"name": "triplet", "margin": 0.5}, 2, N, T)
    positive, negatives = torch.ones(B), torch.ones(B, 7)
    assert loss(positive, negatives, 0).item() == pytest.approx(0.5)
    assert loss(positive + 1, negatives, 0).item() == pytest.approx(0.5 - T)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(
    ("name", "options", "embedded", "slow", "crops"),
    [
        ("moco", {"memory": QUEUE, "graph": "one_way"}, [8], [8], 2),
        ("moco", {"memory": QUEUE}, [8, 8], [8, 8], 2),
        ("cmc", {"memory": BANK, "graph": "one_way"}, [8, 8], [], 2),
        ("instdis", {"memory": BANK}, [8], [], 1),
    ],
)
def test_what_no_direction_needs_is_not_computed(name, options, embedded, slow, crops):
    trainer, seen, seen_slowly, cut = small_trainer(name, **options), [], [], []
    encoder = trainer.method.encoders[0]
    encoder.register_forward_pre_hook(lambda _, views: seen.append(len(views[0])))
    if slow:
        encoder = trainer.method.momentum_encoders[0]
        encoder.register_forward_pre_hook(lambda _, views: seen_slowly.append(len(views[0])))
    augment = trainer.loader.augment
    apply = augment.apply
    augment.apply = lambda *given: (cut.append(len(given[0])), apply(*given))[1]
    next(iter(trainer))
    assert (seen, seen_slowly, sum(cut)) == (embedded, slow, 8 * crops)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(("name", "memory"), [("cmc", BANK), ("moco", QUEUE)])
def test_encoders_that_would_never_be_trained_are_refused(name, memory):
    with refused("graph: one_way trains the encoder of view 1 only, and every view has its own; s"):
        small_trainer(name, views=ChannelViews(), memory=memory, graph="one_way")


def test_graphs_and_memories_that_do_not_go_together_are_refused():
    for name, memory, kind in (("cmc", None, "none"), ("moco", QUEUE, "queue")):
        with refused(f"graph: own compares .*, expected memory=bank, got {kind}; set memory=bank"):
            build(name, memory=memory, graph="own")
    with refused("memory.positive: expected bank with graph=own, .*, got batch; set"):
        build("instdis", memory={**BANK, "positive": "batch"})
    with refused("graph: expected own with method=instdis, got full"):
        build("instdis", memory=BANK, graph="full")
    for name, memory, kinds in (
        ("cmc", QUEUE, "none or bank"),
        ("simclr", BANK, "none"),
        ("moco", None, "queue"),
        ("instdis", {"kind": "none"}, "bank"),
    ):
        with refused(f"memory: expected {kinds} with method={name}, got .*; set memory="):
            build(name, memory=memory)


# CMC and InstDis


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
    z = unit()
    method = build(name, shared=True, loss={"name": loss}, memory=BANK).double()
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
            z_of_first_batch = scores.exp().mean().item() * N
            losses.append(reference.logistic(positive, negatives, z_of_first_batch, N))
        else:
            losses.append(reference.sampled_softmax(positive, negatives))
        torch.testing.assert_close(method.bank.bank.rows[view], moved, atol=1e-6, rtol=0)
    assert output.loss.item() == pytest.approx(sum(losses) / len(losses), rel=1e-6)
    gradients = torch.autograd.grad(output.loss, [*z.values()], allow_unused=True)
    assert (gradients[1] is None) == (name == "instdis")
