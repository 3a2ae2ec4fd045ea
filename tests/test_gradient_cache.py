"""Gradients of a large batch, chunk by chunk: those of the whole, exactly, and little memory."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn

from infomin.losses import infonce, pair_scores
from infomin.models import build_encoders
from infomin.models.statistics import uncounted
from infomin.training.gradient_cache import embed, pass_on

B, CHUNK, SIZE = 10, 4, 16
NET = {"name": "fourconv", "size": SIZE, "dim": 6, "widths": [4, 8], "pools": 2}


def towers_and_views(normalized):
    encoders = build_encoders(view_channels=(1, 2), **NET).double().train()
    if not normalized:  # what chunks do not change
        for module in [*encoders.modules()]:
            for name, child in module.named_children():
                if isinstance(child, nn.BatchNorm2d):
                    setattr(module, name, nn.Identity())
    return encoders, [torch.randn(B, c, SIZE, SIZE) for c in (1, 2)]


def loss_of(z):
    return sum(infonce(scores) for scores in pair_scores(z, 0.2))


def chunks(views):
    return [*zip(*(v.split(CHUNK) for v in views), strict=True)]


def gradients(encoders):
    return [p.grad.clone() for p in encoders.parameters()]


@pytest.mark.parametrize("normalized", [False, True], ids=["plain", "batch norm"])
def test_the_gradient_is_that_of_the_whole_batch(normalized):
    encoders, views = towers_and_views(normalized)
    parts = zip(*(v.split(CHUNK if normalized else B) for v in views), strict=True)
    z = [torch.cat(of_view) for of_view in zip(*(encoders(part) for part in parts), strict=True)]
    whole = loss_of(z)
    whole.backward()
    expected = gradients(encoders)
    encoders.zero_grad()

    cached = embed(encoders, chunks(views), nullcontext)
    loss = loss_of(cached)
    loss.backward()
    pass_on(encoders, chunks(views), cached, nullcontext)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-12)
    for ours, theirs in zip(gradients(encoders), expected, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=0)


def test_running_statistics_count_every_chunk_once():
    (encoders, views), (again, _) = towers_and_views(True), towers_and_views(True)
    again.load_state_dict(encoders.state_dict())
    before = {name: b.clone() for name, b in encoders.named_buffers()}
    z = embed(encoders, chunks(views), nullcontext)
    for name, buffer in encoders.named_buffers():
        assert torch.equal(buffer, before[name]), name
    loss_of(z).backward()
    pass_on(encoders, chunks(views), z, nullcontext)
    for part in chunks(views):
        again(part)
    for (name, ours), theirs in zip(encoders.named_buffers(), again.buffers(), strict=True):
        assert torch.equal(ours, theirs), name


def test_statistics_are_counted_again_after_an_error():
    encoders = build_encoders(view_channels=(3,), **NET)
    with pytest.raises(RuntimeError, match="out of memory"), uncounted(encoders):
        raise RuntimeError("out of memory")
    before = copy.deepcopy(encoders.state_dict())
    encoders((torch.rand(4, 3, SIZE, SIZE),))
    moved = [n for n, b in encoders.state_dict().items() if not torch.equal(b, before[n])]
    assert moved and all("running" in n or "num_batches" in n for n in moved)
