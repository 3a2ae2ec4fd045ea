"""Batch normalisation over groups of a batch: MoCo's shuffle, in one process."""

import copy
from functools import partial

import pytest
import torch
from infomin.methods.objectives import build_objective
from infomin.methods.objectives.grouped import in_groups
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from refusal import refused
from torch import nn

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.views import WholeViews

B = 12
NET = {"name": "fourconv", "size": 16, "dim": 8, "widths": [4, 8], "pools": 2, "shared": True}
DATA = scenes(size=16, train=48, test=24)


def batch(n=B):
    return torch.rand(n, 3, 16, 16)


def test_a_group_is_normalised_by_its_own_samples():
    encoders, x, order = (
        build_encoders(view_channels=(3, 3), **NET),
        (batch(), batch()),
        torch.randperm(B),
    )
    statistics = []

    def taken(module, arguments):
        statistics.append((arguments[0].mean((0, 2, 3)), arguments[0].var((0, 2, 3))))

    encoders.backbones[0].standardize.register_forward_pre_hook(taken)
    z = in_groups(encoders, x, 4, order)
    for g in range(4):
        members = order[g::4]
        for view in (0, 1):
            mean, var = statistics[2 * g + view]
            torch.testing.assert_close(mean, x[view][members].mean((0, 2, 3)))
            torch.testing.assert_close(var, x[view][members].var((0, 2, 3)))
        alone = encoders(tuple(v[members] for v in x))
        for view in (0, 1):
            torch.testing.assert_close(z[view][members], alone[view])


def test_every_embedding_comes_back_to_its_image():
    encoders, x = build_encoders(view_channels=(3, 3), **NET).eval(), (batch(), batch())
    for order in (torch.arange(B), torch.randperm(B)):
        for ours, expected in zip(in_groups(encoders, x, 3, order), encoders(x), strict=True):
            torch.testing.assert_close(ours, expected)
    first, none = in_groups(encoders, (x[0], x[1][:0]), 3, order)
    assert torch.allclose(first, encoders(x)[0]) and none.shape == (0, 8)


def test_the_gradient_is_that_of_the_groups():
    encoders, x = build_encoders(view_channels=(3, 3), **NET), (batch(), batch())
    weights = torch.randn(B, 8)
    sum((weights * z).sum() for z in in_groups(encoders, x, 3, torch.arange(B))).backward()
    ours = [p.grad.clone() for p in encoders.parameters()]
    encoders.zero_grad()
    for g in range(3):
        sum((weights[g::3] * z).sum() for z in encoders(tuple(v[g::3] for v in x))).backward()
    for mine, p in zip(ours, encoders.parameters(), strict=True):
        torch.testing.assert_close(mine, p.grad, atol=1e-5, rtol=1e-5)


def objective(groups, batch=B, **options):
    encoders = build_encoders(view_channels=(3, 3), **NET)
    memory = {"kind": "queue", "size": 16, "momentum": 0.9, "groups": groups}
    return encoders, build_objective(encoders, 48, batch, 0.1, None, memory, "one_way", **options)


def test_keys_are_shuffled_and_queries_are_not():
    encoders, queued = objective(3)
    x = batch(), batch()
    members = []
    queued.slow.register_forward_pre_hook(lambda _, given: members.append(given[0][1]))
    orders = []
    for step in (0, 1, 0):
        members.clear()
        queued.begin(torch.arange(B), step)
        queued.keys(x)
        orders.append(torch.cat([*members]))
    assert torch.equal(orders[0], orders[2]), "a function of seed and step"
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], torch.cat([x[1][g::3] for g in range(3)]))
    asked = queued.asked(x)
    torch.testing.assert_close(
        queued.embed(encoders, asked)[0], in_groups(encoders, asked, 3, torch.arange(B))[0]
    )


def test_a_positive_is_told_by_the_statistics_of_its_batch_and_shuffling_hides_it():
    """Embeddings of nothing but the statistics of what an image was normalised with."""

    class Signature(nn.Module):
        def forward(self, views):
            return tuple(v.mean((0, 2, 3)).expand(len(v), -1) for v in views)

    signature, x1 = Signature(), batch(32) + torch.randn(32, 1, 1, 1)
    x2 = x1 + 0.1 * torch.randn_like(x1)  # the other crop of each image
    order = torch.randperm(32)
    queries = in_groups(signature, (x1,), 8, torch.arange(32))[0]
    same, shuffled = (in_groups(signature, (x2,), 8, o)[0] for o in (torch.arange(32), order))
    near, far = ((queries - keys).square().sum(1).mean() for keys in (same, shuffled))
    assert near < 0.05 * far


def learner(groups, batch=8, chunk=None):
    encoders, queued = objective(groups, batch, chunk=chunk)
    settings = ContrastiveSettings(epochs=1, batch=batch, chunk=chunk)
    fabric, optimizer = make_fabric("cpu", precision="32-true"), partial(torch.optim.SGD, lr=0.1)
    return Pretraining(
        WholeViews(), encoders, DATA.train.images, CropFlip(16), optimizer, settings, fabric, queued
    )


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("chunk", [None, 4])
def test_training_in_groups_resumes_exactly(chunk):
    whole, first, second = (learner(2, chunk=chunk) for _ in range(3))
    expected = [m["loss"] for m in whole]
    steps = iter(first)
    told = [next(steps)["loss"] for _ in range(3)]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    told += [m["loss"] for m in second]
    assert told == expected and len(expected) == 6
    for a, b in zip(whole.objective.buffers(), second.objective.buffers(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.usefixtures("single")
def test_without_groups_nothing_changes():
    encoders, queued = objective(1)
    x = batch(), batch()
    twin, slow = copy.deepcopy(encoders), copy.deepcopy(queued.slow)
    assert torch.equal(queued.embed(encoders, queued.asked(x))[0], twin((x[0], x[1][:0]))[0])
    queued.begin(torch.arange(B), 0)
    assert torch.equal(queued.keys(x)[1], slow((x[0][:0], x[1]))[1])


def test_groups_that_do_not_fit_are_told():
    with refused("memory.groups: expected a whole number of at least 1, got 0"):
        objective(0)
    told = "memory.groups: expected a divisor of the 8 images of a batch that leaves at least 2"
    for groups in (3, 8):
        with refused(f"{told} in each, got {groups}"):
            learner(groups)
    with refused(
        "pretrain.chunk: expected 4, the images of each of memory.groups=2, or null, got 2"
    ):
        learner(2, chunk=2)
    present = torch.ones(48, 2).bool()
    present[3, 1] = False
    encoders = build_encoders(view_channels=(3, 3), **NET)
    with refused("memory.groups=2: batch normalisation of groups needs every view of every samp"):
        memory = {"kind": "queue", "size": 16, "groups": 2}
        build_objective(encoders, 48, 8, 0.1, None, memory, present=present)
