"""The JigSaw branch of PIRL: pieces are anchors of the contrast of the views."""

import copy

import pytest
import torch
from refusal import refused
from small import (
    BATCH,
    CONTRASTS,
    LOSSES,
    PIECE,
    QUEUE,
    SIZE,
    build,
    detached,
    losses_of,
    slow_loss,
    small_encoders,
    small_trainer,
    unit,
)
from torch.nn import functional as F

from infomin import ViewGenerator
from infomin.augment import JigSaw
from infomin.methods.pirl import PIRL, JigSawHead
from infomin.views import ChannelViews, LearnedViews

single = pytest.mark.usefixtures("single")
of_contrasts = pytest.mark.parametrize(("name", "options"), CONTRASTS, ids=str)
INFOMIN = {"memory": QUEUE, "graph": "one_way"}


def head_of(encoder, size=PIECE):
    return JigSawHead(encoder, encoder.in_channels, size, 0, 0)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_pieces_are_embedded_one_by_one_and_joined_in_order(kind):
    encoder = small_encoders((3, 3), shared=True, head=kind)[0]
    head, pieces = head_of(encoder), torch.rand(4, 9, 3, PIECE, PIECE)
    encoder.eval()
    z = head(encoder, pieces)
    for of_image, ours in zip(pieces, z, strict=True):
        each = [head.each(encoder.backbone(piece[None]))[0] for piece in of_image]
        expected = F.normalize(head.join(torch.cat(each)), dim=0)
        torch.testing.assert_close(ours.double(), expected, atol=1e-6, rtol=0)
    assert not torch.allclose(head(encoder, pieces.roll(1, 1)), z)


@single
def test_a_head_reads_the_last_layer_that_takes_images_of_any_size():
    encoder = small_encoders((3,), name="alexnet", size=64, width=0.125)[0]
    head = head_of(encoder, 18)
    assert head.layer == "conv5" and head(encoder, torch.rand(2, 9, 3, 18, 18)).shape == (2, 8)
    assert head_of(small_encoders((3,), name="resnet", size=32)[0], 9).layer == "pool"
    with refused("jigsaw: pieces of 2x2 pixels are too small for the encoder; set a larger enc"):
        head_of(small_encoders()[0], 2)


def test_statistics_of_pieces_are_used_and_not_remembered():
    encoder = small_encoders((3,))[0]
    before, head = copy.deepcopy(encoder.state_dict()), head_of(encoder)
    pieces = 3 + torch.rand(4, 9, 3, PIECE, PIECE)
    z = head(encoder, pieces)
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in before.items())
    assert not torch.allclose(head(encoder.eval(), pieces), z)


@pytest.mark.slow
@of_contrasts
@pytest.mark.parametrize("shared", [True, False], ids=["shared", "per view"])
@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss["name"])
def test_the_loss_of_pieces_is_that_of_a_slow_loop(name, options, loss, shared):
    contrast = build(name, shared=shared, loss=loss, **options).double()
    pirl = PIRL(contrast, [1, 1], PIECE, 0.3)
    z, targets = detached(unit()), detached(unit()) if name == "moco" else {}
    heads = len(pirl.heads)
    pieces = detached(unit(heads))
    output = pirl.loss({**z, **{2 + i: e for i, e in pieces.items()}}, targets, BATCH)
    anchors = pieces if heads == 2 else {0: pieces[0], 1: pieces[0]}
    of_views = slow_loss(contrast, z, targets, BATCH)
    of_pieces = slow_loss(contrast, z, targets, BATCH, anchors)
    assert output.loss.item() == pytest.approx(0.7 * of_views + 0.3 * of_pieces, abs=1e-9)
    assert output.metrics["loss_views"] == pytest.approx(of_views, abs=1e-9)
    assert output.metrics["loss_jigsaw"] == pytest.approx(of_pieces, abs=1e-9)
    if loss["name"] == "logistic":  # Z of pieces is their own
        assert pirl.pair_loss is not contrast.pair_loss
        assert pirl.pair_loss.steps.max() == contrast.pair_loss.steps.max() == 1


@single
@pytest.mark.slow
@of_contrasts
def test_with_weight_0_the_branch_changes_nothing(name, options):
    runs = [small_trainer(name, beta=beta, settings={"chunk": 3}, **options) for beta in (None, 0)]
    plain, weightless = (losses_of(run, 3) for run in runs)
    assert plain == weightless
    state = runs[1].method.method.state_dict()
    for key, value in runs[0].method.state_dict().items():
        assert torch.equal(value, state[key]), key


def generated():
    g = ViewGenerator(flow={"hidden": 8})
    for p in g.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return LearnedViews(g.requires_grad_(False))


@single
@pytest.mark.parametrize("views", [lambda: ChannelViews(color="ydbdr"), generated])
def test_encoders_of_every_view_see_the_same_pieces(views):
    trainer, whole = small_trainer(views=views(), beta=0.5), small_trainer(beta=0.5)
    (seen,), (pieces,) = (t.loader.load(0, t.share) for t in (trainer, whole))
    assert [*seen] == [0, 1, 2, 3] and [*pieces] == [0, 1, 2]
    assert pieces[2].shape == (8, 9, 3, PIECE, PIECE) and -1 <= pieces[2].min() < 0
    colors = (pieces[2].flatten(0, 1) + 1) / 2
    for i in (0, 1):
        expected = trainer.loader.views.one(colors, i)
        torch.testing.assert_close(seen[2 + i].flatten(0, 1), expected, atol=1e-5, rtol=1e-4)
    next(iter(trainer))
    assert all(p.grad.any() for p in trainer.method.heads.parameters())


@single
def test_pieces_are_a_function_of_the_step_and_not_of_chunks():
    loader = small_trainer("moco", beta=0.5, **INFOMIN).loader
    (whole,) = loader.load(3, slice(0, 8))
    parts = loader.load(3, slice(2, 8), 4)
    assert [len(part[2]) for part in parts] == [4, 2]
    torch.testing.assert_close(torch.cat([part[2] for part in parts]), whole[2][2:])
    assert not torch.equal(loader.load(4, slice(0, 8))[0][2], whole[2])


def test_a_branch_that_cannot_work_is_refused():
    for beta in (-0.1, 1.5, float("nan")):
        with refused(rf"jigsaw.beta: expected a weight within \[0, 1\], got {beta}"):
            PIRL(build("cmc"), [1, 1], PIECE, beta)
    with refused("jigsaw: expected images of at least 54x54 pixels, .* got 16x16; set a larger"):
        JigSaw(64).check_size(SIZE, SIZE)
