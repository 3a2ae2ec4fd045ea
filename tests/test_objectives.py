"""Objectives: where negatives come from, what two views and many are, and what is saved."""

import copy
import math
from functools import partial
from itertools import pairwise

import pytest
import reference
import torch
from going_on import assert_goes_on
from infomin.methods.objectives import Embedded, build_objective
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from refusal import refused
from torch.nn import functional as F

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.losses import infonce, pair_scores
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")
N, B, D, T, K = 60, 5, 8, 0.2, 12
INDEX = torch.tensor([7, 3, 59, 0, 21])
NET = {"name": "fourconv", "size": 16, "dim": D, "widths": [4, 8], "pools": 2}
BANK = {"kind": "bank", "negatives": K}
QUEUE = {"kind": "queue", "size": K, "momentum": 0.9}
LOSSES = [{"name": "infonce"}, {"name": "logistic"}, {"name": "triplet"}]
MEMORIES = [{"kind": "none"}, BANK, {**BANK, "draws": "per_sample"}, QUEUE]


def make(loss=None, memory=None, views=2, **options):
    encoders = build_encoders(view_channels=(1,) * views, **NET)
    return build_objective(encoders, N, B, T, loss, memory, **options)


def unit(views=2):
    return [F.normalize(torch.randn(B, D), dim=1).requires_grad_() for _ in range(views)]


def test_in_batch_infonce_is_the_default_and_a_sum_over_pairs():
    z = unit(3)
    told = make(views=3)(z, (), INDEX)
    losses = [infonce(s) for s in pair_scores(z, T)]
    assert told.loss.item() == pytest.approx(sum(x.item() for x in losses))
    assert told.i_nce == pytest.approx(math.log(B) - told.loss.item() / 3)
    core = make(views=3, graph="core")(z, (), INDEX)
    assert core.loss.item() == pytest.approx((losses[0] + losses[1]).item())
    weighted = make(views=3, weights=[0, 2, 0])(z, (), INDEX)
    assert weighted.loss.item() == pytest.approx(2 * losses[1].item())


def test_in_chunks_a_batch_is_compared_as_the_whole():
    z = [x.detach().double().requires_grad_() for x in unit(3)]
    whole, parts = (make(views=3, chunk=chunk)(z, (), INDEX) for chunk in (None, 2))
    assert parts.loss.item() == pytest.approx(whole.loss.item(), abs=1e-12)
    assert parts[1:] == pytest.approx(whole[1:], abs=1e-12)
    of_whole, of_parts = (torch.autograd.grad(told.loss, z) for told in (whole, parts))
    for ours, theirs in zip(of_parts, of_whole, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


@pytest.mark.parametrize("memory", MEMORIES, ids=["batch", "bank", "per_sample", "queue"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_with_two_views_both_graphs_are_the_two_view_loss(loss, memory):
    z, told = unit(), []
    for graph in ("full", "core"):
        objective = make(loss, memory, graph=graph)
        objective.begin(INDEX, 0)
        told.append(objective(z, [k.detach() for k in z], INDEX))
    assert torch.equal(told[0].loss, told[1].loss) and told[0][1:] == told[1][1:]
    told[0].loss.backward()
    assert all(of_view.grad.abs().sum() > 0 for of_view in z)
    assert 0 <= told[0].accuracy <= 1 and told[0].i_nce <= objective.cap


def test_the_softmax_of_a_batch_is_that_of_its_two_directions():
    z = unit()
    plain = make()
    told = plain(z, (), INDEX)
    by_directions = super(type(plain), plain).forward(z, (), INDEX)
    assert told.loss.item() == pytest.approx(by_directions.loss.item(), abs=1e-6)
    assert told.i_nce == pytest.approx(by_directions.i_nce, abs=1e-6)


@pytest.mark.parametrize("loss", LOSSES[:2], ids=lambda loss: loss["name"])
def test_a_bank_is_that_of_the_authors(loss):
    """Same tensors, bank, indices and Z: the numbers of CMC's NCEAverage and criteria."""
    z, objective = unit(), make(loss, {**BANK, "draws": "per_sample"})
    objective.begin(INDEX, 0)
    rows = objective.bank.rows.clone()
    told = objective(z, (), INDEX)
    objective.update(z, (), INDEX, build_encoders(view_channels=(1, 1), **NET))

    drawn = torch.cat([INDEX[:, None], objective.which], 1)
    losses = []
    for view, other in ((0, 1), (1, 0)):
        of_view = z[view].detach()
        scores, moved = reference.cmc_bank_step(
            rows[view], rows[other], of_view, INDEX, drawn, T, momentum=0.5
        )
        positive, negatives = scores[:, 0], scores[:, 1:]
        if loss["name"] == "logistic":
            z_of_first_batch = negatives.exp().mean().item() * N
            losses.append(reference.logistic(positive, negatives, z_of_first_batch, N))
        else:
            losses.append(reference.sampled_softmax(positive, negatives))
        torch.testing.assert_close(objective.bank.rows[view], moved, atol=1e-6, rtol=0)
    assert told.loss.item() == pytest.approx(sum(losses) / 2, rel=1e-6)


def test_shared_negatives_are_those_of_every_sample():
    z, shared, each = unit(), make(memory=BANK), make(memory={**BANK, "draws": "per_sample"})
    shared.begin(INDEX, 0)
    each.which = shared.which.expand(B, K)
    one, other = shared(z, (), INDEX), each(z, (), INDEX)
    assert one.loss.item() == pytest.approx(other.loss.item(), abs=1e-6)
    a, b = (torch.autograd.grad(told.loss, z) for told in (one, other))
    for x, y in zip(a, b, strict=True):
        torch.testing.assert_close(x, y, atol=1e-6, rtol=0)


def test_the_positive_is_the_banks_or_the_batchs():
    z = unit()
    objective = make(memory={**BANK, "positive": "batch"})
    objective.begin(INDEX, 0)
    positive, _ = objective.compare(Embedded(z, (), INDEX), 0, 1)
    torch.testing.assert_close(positive, (z[0] * z[1]).sum(1) / T)
    objective.positive = "bank"
    positive, _ = objective.compare(Embedded(z, (), INDEX), 0, 1)
    torch.testing.assert_close(positive, (z[0] * objective.bank.rows[1, INDEX]).sum(1) / T)


def test_z_is_set_by_the_first_batch_and_anew_only_when_asked():
    for every, changes in ((0, [False, False, False]), (2, [False, True, False])):
        objective = make({"name": "logistic", "every": every}, BANK)
        known = []
        for step in range(4):
            objective.begin(INDEX, step)
            objective(unit(), (), INDEX)
            known.append(objective.contrast.log_z.clone())
        assert [not torch.equal(a, b) for a, b in pairwise(known)] == changes
    objective.eval()
    before = objective.contrast.log_z.clone()
    objective(unit(), (), INDEX)
    assert torch.equal(objective.contrast.log_z, before)


def test_slow_towers_follow_and_own_old_keys_are_no_negatives():
    encoders = build_encoders(view_channels=(1, 1), **NET)
    objective = build_objective(encoders, N, B, T, None, QUEUE)
    for p in encoders.parameters():
        torch.nn.init.normal_(p)
    z, slow = unit(), copy.deepcopy(objective.slow)
    objective.update(z, [k.detach() for k in z], INDEX, encoders)
    for now, before, fast in zip(
        objective.slow.parameters(), slow.parameters(), encoders.parameters(), strict=True
    ):
        torch.testing.assert_close(now, before.lerp(fast, 0.1))
    # the queue holds the keys of this very batch now
    _, negatives = objective.compare(Embedded(z, [k.detach() for k in z], INDEX), 0, 1)
    assert (negatives == -torch.inf).nonzero().tolist() == [[i, i] for i in range(B)]


DATA = scenes(size=16, train=64, test=32)


def pretraining(loss, memory, fabric, **numbers):
    views, encoders = ChannelViews(), build_encoders(view_channels=(1, 2), **NET)
    settings = ContrastiveSettings(**({"epochs": 1, "batch": 8} | numbers))
    images, optimizer = DATA.train.images, partial(torch.optim.AdamW, lr=1e-2)
    objective = build_objective(encoders, len(images), 8, 0.1, loss, memory)
    return Pretraining(
        views, encoders, images, CropFlip(16), optimizer, settings, fabric, objective
    )


@pytest.mark.parametrize("memory", [BANK, {**BANK, "dtype": "float16"}, QUEUE], ids=str)
@pytest.mark.parametrize("loss", [{"name": "logistic", "every": 3}, {"name": "infonce"}], ids=str)
def test_a_resumed_pretraining_goes_on_to_the_same_numbers(loss, memory):
    fabric = make_fabric("cpu", precision="32-true")
    whole, first, second = (pretraining(loss, memory, fabric) for _ in range(3))
    assert_goes_on(whole, first, second)
    for a, b in zip(whole.objective.buffers(), second.objective.buffers(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("memory", MEMORIES, ids=["batch", "bank", "per_sample", "queue"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_every_loss_and_memory_learns(loss, memory):
    fabric = make_fabric("cpu", precision="32-true")
    learner = pretraining(loss, memory, fabric)
    learner.steps = 40
    told = list(learner)
    first, last = (sum(m["loss"] for m in part) for part in (told[:5], told[-5:]))
    assert last < first and all(m["i_nce"] <= learner.cap for m in told)


def test_a_batch_in_chunks_learns_as_one():
    fabric = make_fabric("cpu", precision="32-true")
    whole, chunks = (pretraining(None, BANK, fabric, chunk=c) for c in (8, 3))
    plain = pretraining(None, BANK, fabric)
    told = [[m["loss"] for m in learner] for learner in (plain, whole, chunks)]
    # one chunk: what batch norm sees is the same
    assert told[1] == pytest.approx(told[0], rel=1e-4)
    assert told[2] != told[0] and told[2][-1] < 1.2 * told[0][-1]


def test_what_cannot_be_built_is_told():
    with refused("memory.negatives: expected 1..55, the samples that are no positives, got 60"):
        make(memory={"kind": "bank", "negatives": N})
    with refused("memory.size: expected at least a batch, 5, got 4"):
        make(memory={"kind": "queue", "size": 4})
    with refused("loss: expected one of infonce, logistic, triplet, got 'hinge'"):
        make({"name": "hinge"})
    with refused("memory: expected one of none, bank, queue, got 'disk'"):
        make(memory={"kind": "disk"})
    with refused("memory.draws: expected one of shared, per_sample, got 'all'"):
        make(memory={**BANK, "draws": "all"})
    with refused("memory.positive: expected one of bank, batch, got 'none'"):
        make(memory={**BANK, "positive": "none"})
    with refused(r"loss.margin: expected a difference of cosines in \(0, 2\], got 0"):
        make({"name": "triplet", "margin": 0})
    with refused("memory.momentum: expected a share within"):
        make(memory={**QUEUE, "momentum": 1.0})
    with refused(r"pair_weights: expected 1 numbers, of the views 1-2, got \[1, 2\]"):
        make(weights=[1, 2])


def test_views_towers_and_banks_that_do_not_match_are_told():
    fabric = make_fabric("cpu", precision="32-true")
    told = (CropFlip(16), torch.optim.AdamW, ContrastiveSettings(epochs=1, batch=8), fabric)
    for number in (1, 3):
        encoders = build_encoders(view_channels=(1,) * number, **NET)
        with refused(f"encoders: expected 2, one for each view of raw.*, got {number}"):
            Pretraining(ChannelViews(), encoders, DATA.train.images, *told)
    encoders, of_others = build_encoders(view_channels=(1, 2), **NET), make(memory=BANK)
    with refused("memory: expected a bank of 64 rows, one a training image, got 60"):
        Pretraining(ChannelViews(), encoders, DATA.train.images, *told, of_others)
    of_others.remembers(N)
    of_others.bank.rows.mul_(3)
    with refused("memory: row .* of view 1 has length 3, expected 1; normalise the rows"):
        of_others.remembers(N)
