"""MoCo: slow encoders, the queue, and batch normalisation over shuffled groups of a batch."""

import copy
import math

import pytest
import torch
from refusal import refused
from small import BATCH, QUEUE, SIZE, B, D, T, build, detached, small_encoders, unit
from torch import nn
from torch.nn import functional as F

from infomin.methods import METHODS, Batch, Context
from infomin.methods.moco import in_groups

BIG = 12
ONE_WAY = {"graph": "one_way", "shared": True}


def views(n=BIG):
    return {i: torch.rand(n, 1, SIZE, SIZE) for i in (0, 1)}


def grouped(groups, batch=BIG, chunk=None, rows=None):
    memory = {"kind": "queue", "size": 16, "momentum": 0.9, "groups": groups}
    context = Context(48, batch, T, chunk=chunk, rows=rows)
    encoders = small_encoders(shared=True)
    return METHODS["moco"](encoders, context, memory=memory, graph="one_way")


# Queries, keys and the queue


def test_slow_encoders_follow_and_have_no_gradient():
    method = build("moco", memory=QUEUE)
    assert not any(p.requires_grad for p in method.momentum_encoders.parameters())
    for p in method.encoders.parameters():
        nn.init.normal_(p)
    slow = copy.deepcopy(method.momentum_encoders)
    method.update({}, detached(unit()), BATCH)
    for now, before, fast in zip(
        method.momentum_encoders.parameters(),
        slow.parameters(),
        method.encoders.parameters(),
        strict=True,
    ):
        torch.testing.assert_close(now, before.lerp(fast, 0.1))


@pytest.mark.parametrize("mask_own", [False, True])
def test_old_keys_of_an_anchor_are_negatives_as_in_the_published_code(mask_own):
    method, z = build("moco", memory=QUEUE | {"mask_own": mask_own}), detached(unit())
    method.update({}, z, BATCH)
    _, negatives = method.scores(z[0], 0, 1, z, z, BATCH)
    masked = [[i, i] for i in range(B)] if mask_own else []
    assert (negatives == -torch.inf).nonzero().tolist() == masked
    published = z[0] @ method.queue.of(1).to(z[0].dtype).mT / T  # moco/builder.py, l_neg
    torch.testing.assert_close(negatives[negatives > -torch.inf], published[negatives > -torch.inf])


def test_only_queries_have_a_gradient():
    method, z, keys = build("moco", memory=QUEUE, **ONE_WAY), unit(), unit()
    loss = method.loss({0: z[0]}, {1: keys[1].detach()}, BATCH).loss
    assert torch.autograd.grad(loss, z[0])[0].any()
    assert method.trained_views == [0] and len(method.queue.rows) == 1


def test_a_queue_tells_the_keys_of_a_step_without_images_and_a_batch_does_not():
    # decision 8: all images of a step have one embedding, which moves from step to step
    b, size = 4, 12
    context = Context(40, b, T)
    moco = METHODS["moco"](small_encoders(), context, memory=QUEUE | {"size": size}).double()
    for step in range(4):
        one = F.one_hot(torch.full((b,), step), D).double()
        z, batch = {0: one, 1: one}, Batch(torch.arange(b) + step * b, step)
        if step < 3:
            moco.update(z, z, batch)
    loss, metrics = moco.loss(z, z, batch)
    assert loss.item() == pytest.approx(math.log1p(size * math.exp(-1 / T)), abs=1e-9)
    assert metrics["accuracy"] == 1 and metrics["i_nce"] > 0.95 * moco.cap
    in_batch = METHODS["cmc"](small_encoders(), context).loss(z, {}, batch).loss
    assert in_batch.item() == pytest.approx(math.log(b), abs=1e-9)


# Groups of a batch


def test_a_group_is_normalised_by_its_own_samples_and_embeddings_keep_their_order():
    encoder, view, order = small_encoders()[0], views()[0], torch.randperm(BIG)
    z = in_groups(encoder, view, 4, order)
    for g in range(4):
        members = order[g::4]
        torch.testing.assert_close(z[members], encoder(view[members]))
    torch.testing.assert_close(in_groups(encoder.eval(), view, 4, order), encoder(view))


def test_keys_are_shuffled_as_a_function_of_the_step_and_queries_are_not():
    method, x, members = grouped(3), views(), []
    hook = method.momentum_encoders[0].register_forward_pre_hook
    hook(lambda _, given: members.append(given[0]))
    orders = []
    for step in (0, 1, 0):
        members.clear()
        method.targets(x, Batch(torch.arange(BIG), step))
        orders.append(torch.cat(members))
    assert torch.equal(orders[0], orders[2]) and not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], torch.cat([x[1][g::3] for g in range(3)]))
    queries = method.embed(x, Batch(torch.arange(BIG)))
    assert [*queries] == [0]
    expected = in_groups(method.encoders[0], x[0], 3, torch.arange(BIG))
    torch.testing.assert_close(queries[0], expected)


def test_statistics_of_a_batch_give_positives_away_and_shuffling_hides_them():
    def signature(view):
        """Embed nothing but the statistics of the images that one is normalised with."""
        return view.mean((0, 2, 3)).expand(len(view), -1)

    x1 = torch.rand(32, 3, SIZE, SIZE) + torch.randn(32, 1, 1, 1)
    x2 = x1 + 0.1 * torch.randn_like(x1)  # the other crop of each image
    order = torch.randperm(32)
    queries = in_groups(signature, x1, 8, torch.arange(32))
    same, shuffled = (in_groups(signature, x2, 8, o) for o in (torch.arange(32), order))
    near, far = ((queries - keys).square().sum(1).mean() for keys in (same, shuffled))
    assert near < 0.05 * far


def test_groups_that_do_not_fit_are_refused():
    with refused("memory.groups: expected a whole number of at least 1, got 0"):
        grouped(0)
    for groups in (3, 8):
        with refused(
            "memory.groups: expected a divisor of the 8 images of a batch that leaves at least 2 "
            f"in each, got {groups}"
        ):
            grouped(groups).check(slice(0, 8))
    with refused("pretrain.chunk: expected 4, the images of each of memory.groups=2, or null, g"):
        grouped(2, chunk=2).check(slice(0, 8))
    with refused("memory.groups: expected 1 where images lack views"):
        grouped(2, rows={0: torch.arange(48), 1: torch.arange(40)}).check(slice(0, BIG))
    with refused("memory.size: expected at least a batch, 5, got 4"):
        build("moco", memory=QUEUE | {"size": 4})
