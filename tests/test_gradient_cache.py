"""Gradients of a large batch, chunk by chunk: those of the whole, exactly, and little memory."""

import copy
from contextlib import nullcontext

import pytest
import torch
from small import small_encoders
from torch import nn

from infomin.losses import infonce, pair_scores
from infomin.methods import Batch, Context, Method
from infomin.models.backbones import uncounted
from infomin.training.gradient_cache import embed, pass_on

B, CHUNK = 10, 4
BATCH = Batch(torch.arange(B))


def method_and_views(normalized=True):
    method = Method(small_encoders((1, 2)).double().train(), Context(60, B))
    if not normalized:  # what chunks do not change
        for module in [*method.modules()]:
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
    return method, {i: torch.randn(B, i + 1, 16, 16) for i in (0, 1)}


def loss_of(z):
    return sum(infonce(scores) for scores in pair_scores([*z.values()], 0.2))


def chunks(views, size=CHUNK):
    parts = zip(*(view.split(size) for view in views.values()), strict=True)
    return [dict(enumerate(part)) for part in parts]


@pytest.mark.parametrize("normalized", [False, True], ids=["plain", "batch norm"])
def test_the_gradient_is_that_of_the_whole_batch(normalized):
    method, views = method_and_views(normalized)
    parts = [method.embed(part, BATCH) for part in chunks(views, CHUNK if normalized else B)]
    whole = loss_of({i: torch.cat([part[i] for part in parts]) for i in views})
    expected = torch.autograd.grad(whole, [*method.parameters()])
    z = embed(method, chunks(views), BATCH, nullcontext)
    loss = loss_of(z)
    loss.backward()
    pass_on(method, chunks(views), z, BATCH, nullcontext)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-12)
    for p, theirs in zip(method.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, theirs, atol=1e-10, rtol=0)


def test_running_statistics_count_every_chunk_once():
    method, views = method_and_views()
    again, before = copy.deepcopy(method), copy.deepcopy(dict(method.named_buffers()))
    z = embed(method, chunks(views), BATCH, nullcontext)
    for name, buffer in method.named_buffers():
        assert torch.equal(buffer, before[name]), name
    loss_of(z).backward()
    pass_on(method, chunks(views), z, BATCH, nullcontext)
    for part in chunks(views):
        again.embed(part, BATCH)
    for (name, ours), theirs in zip(method.named_buffers(), again.buffers(), strict=True):
        assert torch.equal(ours, theirs), name


def test_statistics_are_counted_again_after_an_error():
    encoder = small_encoders((3,))[0]
    with pytest.raises(RuntimeError, match="out of memory"), uncounted(encoder):
        raise RuntimeError("out of memory")
    before = copy.deepcopy(encoder.state_dict())
    encoder(torch.rand(4, 3, 16, 16))
    moved = [n for n, value in encoder.state_dict().items() if not torch.equal(value, before[n])]
    assert moved and all("running" in n or "num_batches" in n for n in moved)
