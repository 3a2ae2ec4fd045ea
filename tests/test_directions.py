"""Contrasts of one direction, negatives of the anchor's own view, and what is left uncomputed."""

import math
from functools import partial

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
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.views import ChannelViews, WholeViews

N, B, D, T, K = 60, 5, 8, 0.2, 12
INDEX = torch.tensor([7, 3, 59, 0, 21])
NET = {"name": "fourconv", "size": 16, "dim": D, "widths": [4, 8], "pools": 2, "shared": True}
BANK = {"kind": "bank", "negatives": K}
QUEUE = {"kind": "queue", "size": K, "momentum": 0.9}
NONE = {"kind": "none"}
DATA = scenes(size=16, train=64, test=32)


def make(memory, graph, views=2, **options):
    encoders = build_encoders(view_channels=(3,) * views, **NET)
    return build_objective(encoders, N, B, T, None, memory, graph, **options)


def unit(views=2):
    return [F.normalize(torch.randn(B, D), dim=1).requires_grad_() for _ in range(views)]


@pytest.mark.parametrize("chunk", [None, 2])
def test_negatives_of_both_views_are_those_of_simclr(chunk):
    z = unit()
    objective = make({"kind": "none", "within": True}, "full", chunk=chunk)
    told, expected = objective(z, (), INDEX), reference.nt_xent(*(x.detach() for x in z), T)
    assert told.loss.item() == pytest.approx(expected, abs=1e-12)
    assert objective.cap == math.log(2 * B - 1)
    assert told.i_nce == pytest.approx(objective.cap - told.loss.item())


def test_one_way_is_the_first_of_two_directions():
    z, keys = unit(), [k.detach() for k in unit()]
    there, both = make(QUEUE, "one_way"), make(QUEUE, "full")
    assert there.queue.rows.shape[0] == 1 and both.queue.rows.shape[0] == 2
    both.queue.rows[1] = there.queue.rows[0]
    told = there(z, keys, INDEX)
    positive, negatives = (s.detach() for s in both.compare(Embedded(z, keys, INDEX), 0, 1))
    assert told.loss.item() == pytest.approx(reference.sampled_softmax(positive, negatives))
    hits = (positive >= negatives.amax(1)).double().mean().item()
    assert told.accuracy == pytest.approx(hits)
    gradients = torch.autograd.grad(told.loss, z, allow_unused=True)
    assert gradients[0].any() and gradients[1] is None


@pytest.mark.parametrize("memory", [NONE, BANK, QUEUE], ids=lambda m: m["kind"])
def test_the_first_view_asks_each_of_the_others(memory):
    z, keys = unit(3), [k.detach() for k in unit(3)]
    objective = make(memory, "one_way", views=3, weights=[1, 3])
    objective.begin(INDEX, 0)
    fixed = [of_view.detach() for of_view in z]
    scores = [objective.compare(Embedded(fixed, keys, INDEX), 0, other) for other in (1, 2)]
    losses = [reference.sampled_softmax(*of_pair) for of_pair in scores]
    told = objective(z, keys, INDEX)
    assert told.loss.item() == pytest.approx(losses[0] + 3 * losses[1], abs=1e-6)


@pytest.mark.usefixtures("single")
def test_a_view_is_compared_with_its_own_row():
    """InstDis: the numbers of the authors' bank, of one view."""
    z = unit()
    objective = make({**BANK, "draws": "per_sample"}, "own")
    rows = objective.bank.rows.clone()
    assert rows.shape == (1, N, D)
    objective.begin(INDEX, 0)
    drawn = torch.cat([INDEX[:, None], objective.which], 1)
    told = objective(z, (), INDEX)
    objective.update(z, (), INDEX, build_encoders(view_channels=(3, 3), **NET))
    of_view = z[0].detach()
    scores, moved = reference.cmc_bank_step(
        rows[0], rows[0], of_view, INDEX, drawn, T, momentum=0.5
    )
    assert told.loss.item() == pytest.approx(
        reference.sampled_softmax(scores[:, 0], scores[:, 1:]), rel=1e-6
    )
    torch.testing.assert_close(objective.bank.rows[0], moved, atol=1e-6, rtol=0)
    assert torch.autograd.grad(told.loss, z, allow_unused=True)[1] is None


def learner(memory, graph, **numbers):
    encoders = build_encoders(view_channels=(3, 3), **NET)
    settings = ContrastiveSettings(**({"epochs": 1, "batch": 8} | numbers))
    images, optimizer = DATA.train.images, partial(torch.optim.AdamW, lr=1e-2)
    fabric = make_fabric("cpu", precision="32-true")
    objective = build_objective(
        encoders, len(images), 8, 0.1, None, memory, graph, chunk=settings.chunk
    )
    return Pretraining(
        WholeViews(), encoders, images, CropFlip(16), optimizer, settings, fabric, objective
    )


SYSTEMS = [(NONE, "one_way"), (BANK, "one_way"), (BANK, "own"), (QUEUE, "one_way")]
of_systems = pytest.mark.parametrize(("memory", "graph"), SYSTEMS, ids=lambda v: str(v))


@pytest.mark.usefixtures("single")
@of_systems
@pytest.mark.parametrize("chunk", [None, 3])
def test_a_contrast_of_one_direction_learns_and_resumes(memory, graph, chunk):
    whole, first, second = (learner(memory, graph, chunk=chunk) for _ in range(3))
    assert_goes_on(whole, first, second)
    again = learner(memory, graph, chunk=chunk)
    again.steps = 40
    losses = [m["loss"] for m in again]
    assert sum(losses[-5:]) < sum(losses[:5])


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(
    ("memory", "graph", "fast", "slow", "crops"),
    [
        (QUEUE, "one_way", [8, 0], [0, 8], 2),
        (QUEUE, "full", [8, 8], [8, 8], 2),
        (BANK, "one_way", [8, 8], None, 2),
        (BANK, "own", [8, 0], None, 1),
    ],
)
def test_what_no_direction_needs_is_not_computed(memory, graph, fast, slow, crops):
    trained = learner(memory, graph)
    seen, cut = [], []

    def told(module, arguments):
        seen.append([len(v) for v in arguments[0]])

    trained.encoders.register_forward_pre_hook(told)
    if slow:
        trained.objective.slow.register_forward_pre_hook(told)
    apply = trained.augment.apply
    trained.augment.apply = lambda *given: (cut.append(len(given[0])), apply(*given))[1]
    next(iter(trained))
    assert seen == [*([slow] if slow else []), fast] and sum(cut) == 8 * crops


def test_what_needs_a_bank_is_told():
    told = "graph: own compares an image with its row of a bank, expected memory=bank, got"
    for memory in (NONE, QUEUE):
        with refused(f"{told} {memory['kind']}; set memory=bank, or graph=full"):
            make(memory, "own")
    with refused("memory.positive: expected bank with graph=own, .*, got batch; set"):
        make({**BANK, "positive": "batch"}, "own")
    present = torch.ones(N, 2).bool()
    present[3, 1] = False
    with refused("graph=one_way: a contrast of one direction needs every view of every sample, 1"):
        make(QUEUE, "one_way", present=present)


@pytest.mark.usefixtures("single")
@pytest.mark.parametrize(("memory", "graph"), SYSTEMS[1:], ids=lambda v: str(v))
def test_towers_that_would_never_be_trained_are_refused(memory, graph):
    encoders = build_encoders(view_channels=(1, 2), **NET | {"shared": False})
    images = DATA.train.images
    objective = build_objective(encoders, len(images), 8, 0.1, None, memory, graph)
    told = (CropFlip(16), torch.optim.AdamW, ContrastiveSettings(epochs=1, batch=8))
    with refused(f"graph: {graph} trains the encoder of view 1 alone, and every view has its own"):
        Pretraining(ChannelViews(), encoders, images, *told, make_fabric("cpu"), objective)
