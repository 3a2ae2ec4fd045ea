"""Samples that lack views: losses of those that have both, and nothing of what is not there."""

import copy
from functools import partial

import pytest
import reference
import torch
from infomin.methods.objectives import build_objective
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from refusal import refused
from torch import nn
from torch.nn import functional as F

from infomin.augment import CropFlip
from infomin.core import presence
from infomin.losses import pairs
from infomin.models import build_encoders
from infomin.training import gradient_cache
from infomin.training.distributed import make_fabric
from infomin.views import ChannelViews

N, M, B, D, T, K = 60, 3, 12, 8, 0.2, 10
NET = {"name": "fourconv", "size": 16, "dim": D, "widths": [4, 8], "pools": 2}
BANK = {"kind": "bank", "negatives": K}
QUEUE = {"kind": "queue", "size": B, "momentum": 0.9}
LOSSES = [{"name": "infonce"}, {"name": "logistic", "every": 3}, {"name": "triplet"}]
MEMORIES = [{"kind": "none"}, BANK, {**BANK, "draws": "per_sample", "positive": "batch"}, QUEUE]
NAMES = ["batch", "bank", "per_sample", "queue"]
INDEX = torch.randperm(N, generator=torch.Generator().manual_seed(1))[:B]


def some(n=N, views=M, share=0.6, seed=0):
    """A table in which views are there or not, each by itself."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(n, views, generator=generator, dtype=torch.float64) < share


def make(present, loss=None, memory=None, views=M, **options):
    encoders = build_encoders(view_channels=(1,) * views, **NET)
    return build_objective(encoders, N, B, T, loss, memory, present=present, **options)


def unit(views=M, b=B):
    return [F.normalize(torch.randn(b, D), dim=1).requires_grad_() for _ in range(views)]


@pytest.mark.parametrize("graph", ["full", "core"])
@pytest.mark.parametrize("seed", range(6))
def test_the_loss_is_that_of_a_slow_loop_over_those_that_have_both(graph, seed):
    present, z = some(seed=seed, share=0.5), unit()
    weights = [1.0, 0.5, 2.0][: len(pairs(M, graph))]
    told = make(present, graph=graph)(z, (), INDEX)
    here = present[INDEX]
    known = [
        [e if there else None for e, there in zip(of_view.detach(), here[:, i], strict=True)]
        for i, of_view in enumerate(z)
    ]
    loss, shared = reference.with_absences(known, pairs(M, graph), T)
    for found in (told, make(present, graph=graph, chunk=3)(z, (), INDEX)):
        assert found.loss.item() == pytest.approx(loss, abs=1e-12)
        assert found.i_nce == pytest.approx(sum(shared) / len(shared), abs=1e-12)
    each = [reference.with_absences(known, [pair], T)[0] for pair in pairs(M, graph)]
    weighted = make(present, graph=graph, weights=weights)(z, (), INDEX).loss.item()
    expected = sum(w * x for w, x in zip(weights, each, strict=True))
    assert weighted == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_of_any_loss_it_is_that_of_the_part_of_the_batch(loss):
    present, z = some(), unit()
    told = make(present, loss)(z, (), INDEX)
    total = 0.0
    for i, j in pairs(M):
        who = (present[INDEX, i] & present[INDEX, j]).nonzero().squeeze(1)
        part = make(None, loss, views=2)([z[i][who], z[j][who]], (), INDEX[who])
        total += part.loss.item()
    assert told.loss.item() == pytest.approx(total, abs=1e-12)


@pytest.mark.parametrize("memory", MEMORIES, ids=NAMES)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_what_is_absent_has_no_gradient_and_no_say(loss, memory):
    present, z, told = some(), unit(), []
    here = make(present).here(INDEX)
    keys = [of_view.detach().roll(1, 1) for of_view in z]
    for fill in (0.0, float("nan"), 7.0):
        for i in range(M):
            z[i].data[~here[:, i]] = fill
            keys[i][~here[:, i]] = fill
            z[i].grad = None
        objective = make(present, loss, memory)
        objective.begin(INDEX, 0)
        objective(z, keys, INDEX).loss.backward()
        objective.update(z, keys, INDEX, build_encoders(view_channels=(1,) * M, **NET))
        again = objective(z, keys, INDEX)
        told.append([again.loss.item(), *(of_view.grad.sum().item() for of_view in z)])
        for i in range(M):
            assert not z[i].grad[~here[:, i]].any()
            assert z[i].grad[here[:, i]].any()
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("memory", MEMORIES, ids=NAMES)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_where_everything_is_there_no_bit_changes(loss, memory):
    everything, told, states = torch.ones(N, M, dtype=torch.bool), [], []
    for how in ("none", "given", "by a table"):
        torch.manual_seed(0)
        objective = make(everything if how == "given" else None, loss, memory)
        if how == "by a table":
            objective.present = everything
        for step in range(4):
            z = unit()
            keys = [of_view.detach().roll(1, 1) for of_view in z]
            objective.begin(INDEX, step)
            found = objective(z, keys, INDEX)
            found.loss.backward()
            objective.update(z, keys, INDEX, build_encoders(view_channels=(1,) * M, **NET))
            told.append([found.loss.item(), *found[1:]])
        states.append([*objective.buffers(), *(of_view.grad for of_view in z)])
    assert told[:4] == told[4:8] == told[8:]
    for given, by_table, expected in zip(*states[1:], states[0], strict=True):
        assert torch.equal(given, expected)
        torch.testing.assert_close(by_table, expected, atol=1e-15, rtol=0)


def test_a_pair_that_a_single_sample_has_adds_nothing():
    present = torch.zeros(N, M, dtype=torch.bool)
    present[INDEX[:5], 0] = present[INDEX[:5], 1] = True
    present[INDEX[7], :2:] = present[INDEX[7], 2] = True
    z = unit()
    told = make(present)(z, (), INDEX)
    alone = make(present[:, :2], views=2)(z[:2], (), INDEX)
    assert told == alone and told.loss.isfinite()
    told.loss.backward()
    assert z[2].grad is None


@pytest.mark.parametrize("memory", MEMORIES, ids=NAMES)
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_a_batch_without_any_pair_costs_nothing(loss, memory):
    present = torch.ones(N, M, dtype=torch.bool)
    present[INDEX, 1:] = False
    objective, z = make(present, loss, memory), unit()
    objective.begin(INDEX, 0)
    told = objective(z, z, INDEX)
    assert (told.loss.item(), told.i_nce) == (0.0, 0.0) and not told.loss.requires_grad


@pytest.mark.parametrize("draws", ["shared", "per_sample"])
def test_of_a_bank_only_rows_that_are_embedded_are_drawn_and_all_alike(draws):
    present = some(share=0.8)
    objective = make(present, memory={**BANK, "draws": draws, "negatives": 16})
    useful = present & (present.sum(1) >= 2)[:, None]
    counts = torch.zeros(M, B, N)
    for step in range(400):
        objective.begin(INDEX, step)
        for view in range(M):
            for row, drawn in zip(counts[view], objective.which[view].expand(B, 16), strict=True):
                row += torch.bincount(drawn, minlength=N)
    for view in range(M):
        for anchor, row in zip(INDEX.tolist(), counts[view], strict=True):
            if not useful[anchor, view]:
                continue  # no anchor of a pair with this view
            can = useful[:, view].clone()
            can[INDEX if draws == "shared" else anchor] = False
            assert torch.equal(row > 0, can)
            assert (row[can] / row[can].mean() - 1).abs().max() < 0.35


def test_of_a_bank_only_rows_of_what_is_there_move():
    present, z = some(), unit()
    objective = make(present, memory=BANK)
    before = objective.bank.rows.clone()
    objective.update(z, (), INDEX, build_encoders(view_channels=(1,) * M, **NET))
    moved = (objective.bank.rows != before).any(2).T
    here = torch.zeros_like(present)
    here[INDEX] = objective.here(INDEX)
    assert torch.equal(moved, here)


def test_the_queue_of_each_view_holds_the_latest_keys_of_those_that_have_it():
    present = some()
    objective = make(present, memory=QUEUE)
    latest = [[], [], []]
    for _ in range(6):
        index = torch.randperm(N)[:B]
        keys = [F.normalize(torch.randn(B, D), dim=1) for _ in range(M)]
        objective.queue.push(index, keys, objective.here(index))
        for view in range(M):
            here = objective.here(index)[:, view]
            latest[view] += zip(index[here].tolist(), keys[view][here], strict=True)
    for view in range(M):
        kept = latest[view][-B:]
        owners = objective.queue.owners[view]
        assert sorted(owners.tolist()) == sorted(sample for sample, _ in kept)
        assert present[owners, view].all()
        for row in objective.queue.rows[view].double():
            assert min((row - key).abs().max() for _, key in kept) < 1e-6
        own = objective.queue.own(owners[:1], view)
        assert torch.equal(own[0], owners == owners[0])


@pytest.mark.parametrize("size", [1, 3, 5, 100])
def test_chunks_hold_what_is_there_once_and_no_single_image(size):
    here = some(20, share=0.6)
    views = [torch.randn(20, c, 4, 4) for c in (1, 2, 1)]
    cut = [*zip(*(v.split(size) for v in views), strict=True)]
    found = presence.in_chunks(cut, here, size)
    for i, of_view in enumerate(zip(*found, strict=True)):
        assert torch.equal(torch.cat(of_view), views[i][here[:, i]])
        lengths = [len(part) for part in of_view if len(part)]
        assert max(lengths) <= size and (size < 3 or min(lengths) >= 2)
    assert presence.in_chunks(cut, None, size) == cut


def test_the_gradient_of_chunks_is_that_of_the_whole():
    encoders = build_encoders(view_channels=(1, 2, 1), **NET).double().train()
    for module in [*encoders.modules()]:  # what chunks do change
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    objective, found = make(some(share=0.5)), []
    views, here = [torch.randn(B, c, 16, 16) for c in (1, 2, 1)], objective.here(INDEX)
    whole = presence.put_back(encoders(presence.only(views, here)), here)
    objective(whole, (), INDEX).loss.backward()
    found.append([p.grad.clone() for p in encoders.parameters()])
    encoders.zero_grad()
    chunks = presence.in_chunks([*zip(*(v.split(4) for v in views), strict=True)], here, 4)
    own = gradient_cache.embed(encoders, chunks, torch.no_grad)
    objective(presence.put_back(own, here), (), INDEX).loss.backward()
    gradient_cache.pass_on(encoders, chunks, own, torch.enable_grad)
    found.append([p.grad for p in encoders.parameters()])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)


def pretraining(present, loss=None, memory=None, fill=0.0, **numbers):
    images = torch.rand(N, M, 20, 20, generator=torch.Generator().manual_seed(0))
    images[:, 1:] = (images[:, 1:] + 3 * images[:, :1]) / 4
    images[~present] = fill
    views = ChannelViews(groups=[[0], [1], [2]])
    encoders = build_encoders(view_channels=(1, 1, 1), **NET)
    settings = ContrastiveSettings(**({"epochs": 2, "batch": B} | numbers))
    by_rows = {"chunk": settings.chunk, "present": present}
    objective = build_objective(encoders, N, B, 0.1, loss, memory, **by_rows)
    fabric, adam = make_fabric("cpu", precision="32-true"), partial(torch.optim.AdamW, lr=1e-2)
    return Pretraining(views, encoders, images, CropFlip(16), adam, settings, fabric, objective)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("chunk", [None, 5])
@pytest.mark.parametrize("memory", MEMORIES, ids=NAMES)
def test_nothing_of_what_is_absent_enters_a_training(memory, chunk):
    present, told = some(), []
    for fill in (0.0, 7.0):
        learner = pretraining(present, None, memory, fill, chunk=chunk)
        told.append([m["loss"] for m in learner])
        told[-1] += [t.sum().item() for t in learner.encoders.state_dict().values()]
    assert told[0] == told[1]


@pytest.mark.usefixtures("single")
def test_batch_statistics_are_those_of_the_images_that_are_there():
    learner = pretraining(some(), fill=7.0)
    (views,), index = learner.make(0), learner.batches(0)
    here = some()[index]
    learner.advance()
    for i, (of_view, backbone) in enumerate(zip(views, learner.encoders.backbones, strict=True)):
        assert len(of_view) == here[:, i].sum() < B
        expected = 0.1 * of_view.mean((0, 2, 3))
        torch.testing.assert_close(backbone.standardize.running_mean, expected)


@pytest.mark.usefixtures("single")
def test_batches_are_of_samples_that_have_a_pair():
    present = some(share=0.5)
    learner = pretraining(present)
    seen = torch.cat([learner.batches(step) for step in range(40)]).unique()
    assert torch.equal(seen, (present.sum(1) >= 2).nonzero().squeeze(1))
    with refused(r"pretrain.batch: expected 1\.\.\d+, the number of images to draw from, got 60"):
        pretraining(present, batch=60)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("memory", MEMORIES, ids=NAMES)
@pytest.mark.parametrize("loss", LOSSES[:2], ids=lambda loss: loss["name"])
def test_a_resumed_training_goes_on_to_the_same_numbers(loss, memory):
    whole, first, second = (pretraining(some(), loss, memory, epochs=5) for _ in range(3))
    expected = [m["loss"] for m in whole]
    steps = iter(first)
    told = [next(steps)["loss"] for _ in range(3)]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    told += [m["loss"] for m in second]
    assert told == expected
    if memory["kind"] == "none":
        assert sum(told[-5:]) < sum(told[:5])


@pytest.mark.usefixtures("single")
def test_what_cannot_be_is_told():
    present = some()
    with refused("memory.negatives: expected 1..[0-9]+, the samples of each view that are no pos"):
        make(present, memory={**BANK, "negatives": 30})
    with refused("x: y needs every view of every sample, 1 of 4 lack some; leave those out"):
        presence.needs_all(torch.tensor([[True, True]] * 3 + [[False, True]]), "x", "y")
