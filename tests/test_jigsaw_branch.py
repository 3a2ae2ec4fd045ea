"""The JigSaw branch: puzzles find what views find, and change nothing where they have no weight."""

import copy
from functools import partial

import pytest
import reference
import torch
from going_on import assert_goes_on
from refusal import refused
from torch.nn import functional as F

from infomin import ViewGenerator
from infomin.augment import CropFlip, JigSaw
from infomin.data import scenes
from infomin.methods.objectives import build_objective
from infomin.models import JigSawEncoder, JigSawEncoders, build_encoders
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from infomin.training.distributed import make_fabric
from infomin.training.jigsaw import JigSawBranch
from infomin.views import ChannelViews, FrequencyViews, LearnedViews, WholeViews

N, B, D, T, K, PIECE = 60, 5, 8, 0.2, 12, 5
INDEX = torch.tensor([7, 3, 59, 0, 21])
NET = {"name": "fourconv", "size": 16, "dim": D, "widths": [4, 8], "pools": 2, "shared": True}
NONE, SIMCLR = {"kind": "none"}, {"kind": "none", "within": True}
BANK = {"kind": "bank", "negatives": K}
QUEUE = {"kind": "queue", "size": K, "momentum": 0.9}
SYSTEMS = [
    (NONE, "full"),
    (SIMCLR, "full"),
    (BANK, "full"),
    (BANK, "own"),
    (QUEUE, "one_way"),
    (QUEUE, "full"),
]
of_systems = pytest.mark.parametrize(("memory", "graph"), SYSTEMS, ids=str)
DATA = scenes(size=16, train=64, test=32)


def shared(**options):
    return build_encoders(view_channels=(3, 3), **(NET | options))


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_a_puzzle_is_embedded_piece_by_piece(head):
    encoder = JigSawEncoder(shared(head=head).each[0], 3, PIECE).eval()
    pieces = torch.rand(4, 9, 3, PIECE, PIECE)
    z = encoder(pieces)
    for puzzle, ours in zip(pieces, z, strict=True):
        each = [encoder.heads["each"](encoder.backbone(p[None]))[0] for p in puzzle]
        expected = F.normalize(encoder.heads["join"](torch.cat(each)), dim=0)
        torch.testing.assert_close(ours.double(), expected, atol=1e-6, rtol=0)
    assert not torch.allclose(encoder(pieces.roll(1, 1)), z), "the order tells"


def test_pieces_end_where_a_backbone_takes_only_images_of_one_size(single):
    encoders = build_encoders("alexnet", (3, 3), 64, 8, shared=True, width=0.125)
    encoder = JigSawEncoder(encoders.each[0], 3, 18)
    assert encoder.tap == "conv5" and encoder(torch.rand(2, 9, 3, 18, 18)).shape == (2, 8)
    resnet = build_encoders("resnet", (3, 3), 32, 8, shared=True)
    assert JigSawEncoder(resnet.each[0], 3, 9).tap == "pool"


def test_statistics_of_pieces_are_used_and_not_remembered():
    encoders = shared()
    encoder, before = (
        JigSawEncoder(encoders.each[0], 3, PIECE),
        copy.deepcopy(encoders.state_dict()),
    )
    pieces = 3 + torch.rand(4, 9, 3, PIECE, PIECE)
    z = encoder(pieces)
    assert all(torch.equal(w, encoders.state_dict()[name]) for name, w in before.items())
    assert not torch.allclose(encoder.eval()(pieces), z)


@of_systems
@pytest.mark.parametrize("loss", ["infonce", "logistic", "triplet"])
def test_its_loss_is_that_of_a_slow_loop(memory, graph, loss):
    objective = build_objective(
        shared(), N, B, T, {"name": loss}, memory, graph, jigsaw=True
    ).double()
    z = [F.normalize(torch.randn(B, D), dim=1) for _ in range(2)]
    *keys, first, second = [F.normalize(torch.randn(B, D), dim=1) for _ in range(4)]
    objective.begin(INDEX, 0)
    told = objective.against([first, second], z, keys, INDEX).item()
    losses = []
    for other in {"full": (1, 0), "one_way": (1,), "own": (0,)}[graph]:
        puzzles = first if graph == "own" or other == 1 else second
        positive, negatives = [], []
        for i in range(B):
            others = [k for k in range(B) if k != i]
            if memory["kind"] == "none":
                positive.append(puzzles[i] @ z[other][i])
                row = [z[other][k] for k in others]
                row += [puzzles[k] for k in others] if memory.get("within") else []
            elif memory["kind"] == "bank":
                rows = objective.bank.rows[objective.others.index(other)]
                positive.append(puzzles[i] @ rows[INDEX[i]])
                row = [rows[k] for k in objective.which]
            else:
                positive.append(puzzles[i] @ keys[other][i])
                row = [*objective.queue.rows[objective.others.index(other)]]
            negatives.append(torch.stack([puzzles[i] @ r for r in row]))
        positive, negatives = torch.stack(positive) / T, torch.stack(negatives) / T
        if loss == "infonce":
            losses.append(reference.sampled_softmax(positive, negatives))
        elif loss == "logistic":
            z_of_batch = negatives.exp().mean().item() * N
            losses.append(reference.logistic(positive, negatives, z_of_batch, N))
        else:
            hinge = (0.2 + T * negatives - T * positive[:, None]).clamp(min=0)
            losses.append(hinge.mean().item())
    assert told == pytest.approx(sum(losses) / len(losses), abs=1e-9)


def test_z_of_puzzles_is_their_own():
    objective = build_objective(shared(), N, B, T, {"name": "logistic"}, BANK, jigsaw=True)
    z = [F.normalize(torch.randn(B, D), dim=1).float() for _ in range(3)]
    objective.begin(INDEX, 0)
    objective(z[:2], (), INDEX)
    assert objective.contrast.seen.tolist() == [1, 1, 0, 0]
    objective.against(z[1:], z[:2], (), INDEX)
    assert objective.contrast.seen.tolist() == [1, 1, 1, 1]


def learner(memory=QUEUE, graph="one_way", beta=0.5, chunk=None, loss=None, views=None):
    views = views or WholeViews()
    whole = isinstance(views, WholeViews)
    encoders = build_encoders(view_channels=views.view_channels, **(NET | {"shared": whole}))
    settings = ContrastiveSettings(epochs=1, batch=8, chunk=chunk)
    branch = None
    if beta is not None:
        branch = JigSawBranch(JigSaw(16, cell=5, piece=PIECE), encoders, views, beta)
    images, optimizer = DATA.train.images, partial(torch.optim.AdamW, lr=1e-2)
    fabric = make_fabric("cpu", precision="32-true")
    objective = build_objective(
        encoders, len(images), 8, 0.1, loss, memory, graph, chunk=chunk, jigsaw=beta is not None
    )
    return Pretraining(
        views, encoders, images, CropFlip(16), optimizer, settings, fabric, objective, branch
    )


@pytest.mark.usefixtures("single")
@of_systems
def test_without_weight_it_changes_nothing(memory, graph):
    for chunk in (None, 3):
        plain = learner(memory, graph, None, chunk)
        weightless = learner(memory, graph, 0, chunk)
        told = [[m["loss"] for m in each] for each in (plain, weightless)]
        assert told[0] == told[1] and len(told[0]) == 8
        for a, b in zip(
            plain.encoders.state_dict().values(),
            weightless.encoders.state_dict().values(),
            strict=True,
        ):
            assert torch.equal(a, b)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("chunk", [None, 8])
def test_the_step_is_that_of_both_losses(chunk):
    trained = learner(beta=0.3, chunk=chunk)
    twin = copy.deepcopy(trained.encoders)
    slow, heads = (
        copy.deepcopy(trained.objective.slow),
        copy.deepcopy(trained.jigsaw.encoders.heads[0]),
    )
    queue = copy.deepcopy(trained.objective)
    metrics = next(iter(trained))
    total = 0.7 * metrics["loss_views"] + 0.3 * metrics["loss_jigsaw"]
    assert metrics["loss"] == pytest.approx(total, rel=1e-6)

    views, index = trained.make(0)[0], trained.batches(0)
    other = JigSawEncoder(twin.each[0], 3, PIECE)
    other.heads = heads
    z = (twin.encoders[0](views[0]), views[0].new_zeros(0, D))
    keys = (views[0].new_zeros(0, D), slow.encoders[0](views[1]))
    ((pieces,),) = trained.pieces(0)
    asking = [other(pieces)] * 2
    loss = 0.7 * queue(z, keys, index).loss + 0.3 * queue.against(asking, z, keys, index)
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    theirs = [*twin.parameters(), *heads.parameters()]
    for p, expected in zip(trained.parameters, theirs, strict=True):
        torch.testing.assert_close(p.grad, expected.grad, atol=1e-5, rtol=1e-4)
    assert all(p.grad.any() for p in trained.jigsaw.encoders.heads[0]["join"].parameters())


def generated():
    g = ViewGenerator(flow={"hidden": 8})
    for p in g.parameters():
        torch.nn.init.normal_(p, std=0.3)
    return LearnedViews(g.requires_grad_(False))


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("memory", [NONE, BANK], ids=str)
@pytest.mark.parametrize("chunk", [None, 8])
@pytest.mark.parametrize("views", [lambda: ChannelViews(color="ydbdr"), generated])
def test_every_view_of_an_encoder_of_its_own_has_the_same_puzzles(views, chunk, memory):
    trained = learner(memory, "full", beta=0.3, chunk=chunk, views=views())
    twin, objective = copy.deepcopy(trained.encoders), copy.deepcopy(trained.objective)
    images, batches = trained.images, trained.batches
    cut = JigSawBranch(trained.jigsaw.cut, shared(), WholeViews())
    ((whole,),) = cut.make(images, batches, 0, slice(0, 8), 8)
    (pieces,) = trained.pieces(0)
    for i, of_view in enumerate(pieces):
        expected = trained.views.one((whole.flatten(0, 1) + 1) / 2, i)
        torch.testing.assert_close(of_view.flatten(0, 1), expected, atol=1e-5, rtol=1e-4)
    metrics, index, (seen,) = next(iter(trained)), batches(0), trained.make(0)
    other = JigSawEncoders(twin, trained.views.view_channels, PIECE)
    objective.begin(index, 0)
    z, asking = twin(seen), other(pieces)
    told = objective(z, (), index).loss
    loss = 0.7 * told + 0.3 * objective.against(asking, z, (), index)
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-5)
    loss.backward()
    theirs = [*twin.parameters(), *other.heads.parameters()]
    for p, expected in zip(trained.parameters, theirs, strict=True):
        torch.testing.assert_close(p.grad, expected.grad, atol=1e-5, rtol=1e-4)
    assert all(p.grad.any() for p in trained.jigsaw.encoders.heads.parameters())


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize("chunk", [None, 3])
@pytest.mark.parametrize("loss", [{"name": "infonce"}, {"name": "logistic"}], ids=str)
def test_it_resumes_exactly_and_learns(loss, chunk):
    whole, first, second = (learner(loss=loss, chunk=chunk) for _ in range(3))
    assert_goes_on(whole, first, second)
    for a, b in zip(whole.parameters, second.parameters, strict=True):
        assert torch.equal(a, b)
    again = learner(BANK, "own", loss=loss, chunk=chunk)
    again.steps = 40
    losses = [m["loss_jigsaw"] for m in again]
    assert sum(losses[-5:]) < sum(losses[:5])


def test_puzzles_are_those_of_a_batch_whoever_cuts_them(single):
    trained = learner()
    whole = trained.pieces(3)[0][0]
    parts = trained.jigsaw.make(trained.images, trained.batches, 3, slice(2, 8), 4)
    assert [len(part) for (part,) in parts] == [4, 2]
    torch.testing.assert_close(torch.cat([part for (part,) in parts]), whole[2:])
    assert whole.shape == (8, 9, 3, PIECE, PIECE) and -1 <= whole.min() < 0 < whole.max() <= 1
    assert not torch.equal(trained.pieces(4)[0][0], whole)


def branch(encoders=None, views=None, cut=None, beta=0.5):
    return JigSawBranch(cut or JigSaw(16), encoders or shared(), views or WholeViews(), beta)


def test_what_cannot_be_a_branch_is_told(single):
    with refused("jigsaw: expected views that are made pixel by pixel, got frequency.*; set vi"):
        branch(views=FrequencyViews())
    for beta in (-0.1, 1.5, float("nan")):
        with refused(rf"jigsaw.beta: expected a weight within \[0, 1\], got {beta}"):
            branch(beta=beta)
    with refused(
        "jigsaw: pieces of 2x2 pixels are too small for the encoder; set a larger encoder"
    ):
        branch(cut=JigSaw(16, piece=2))
    encoders = shared()
    cut = JigSawBranch(JigSaw(64), encoders, WholeViews())
    pretraining = partial(
        Pretraining,
        WholeViews(),
        encoders,
        DATA.train.images,
        CropFlip(16),
        torch.optim.AdamW,
        ContrastiveSettings(batch=8),
        make_fabric("cpu", precision="32-true"),
    )
    with refused("jigsaw: expected images of at least 54x54 pixels, .* got 16x16; set a larger"):
        pretraining(jigsaw=cut)
    present = torch.ones(64, 2).bool()
    present[0, 0] = False
    objective = build_objective(encoders, 64, 8, 0.1, present=present)
    with refused("jigsaw: a puzzle needs every view of every sample, 1 of 64 lack some; leave"):
        pretraining(objective=objective, jigsaw=branch(encoders))
