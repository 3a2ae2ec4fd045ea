"""Small encoders, methods and trainers, and the equality of a resumed run with an unbroken one."""

import copy
from functools import partial

import reference
import torch
from torch.nn import functional as F
from trainers import make_trainer

from infomin.augment import JigSaw
from infomin.data import scenes
from infomin.methods import METHODS, Batch, Context
from infomin.methods.contrastive import LogisticLoss, SoftmaxLoss
from infomin.methods.moco import MoCo
from infomin.methods.simclr import SimCLR
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.views import WholeViews

N, B, D, T = 60, 5, 8, 0.2
INDEX = torch.tensor([7, 3, 59, 0, 21])
BATCH = Batch(INDEX)
BANK = {"kind": "bank", "negatives": 12}
QUEUE = {"kind": "queue", "size": 12, "momentum": 0.9}
LOSSES = [{"name": "infonce"}, {"name": "logistic", "every": 3}, {"name": "triplet"}]
SIZE, CELL, PIECE = 16, 5, 5
CONTRASTS = [
    ("cmc", {}),
    ("cmc", {"memory": BANK}),
    ("cmc", {"memory": {**BANK, "draws": "shared", "positive": "batch"}, "graph": "core"}),
    ("cmc", {"memory": BANK, "graph": "one_way"}),
    ("simclr", {}),
    ("moco", {"memory": {**QUEUE, "mask_own": True}}),
    ("moco", {"memory": QUEUE, "graph": "one_way"}),
    ("instdis", {"memory": BANK}),
]
"""Contrastive methods and their options."""
IMAGES = scenes(size=SIZE, train=64, test=8).train.images


def small_net(**options):
    """Options of encoders with two narrow convolutions; `name` is another backbone."""
    if "name" not in options:
        options = {"name": "fourconv", "widths": [4, 8], "pools": 2} | options
    return {"size": SIZE, "dim": D} | options


def small_encoders(channels=(1, 1), **options):
    """Encoders of `small_net`."""
    return build_encoders(view_channels=channels, **small_net(**options))


def build(name, views=2, *, shared=False, chunk=None, rows=None, **options):
    """A method of N samples in batches of B."""
    context = Context(N, B, T, chunk=chunk, rows=rows)
    return METHODS[name](small_encoders((1,) * views, shared=shared), context, **options)


def unit(views=2, b=B, d=D):
    """Embeddings of length 1 that require a gradient, by number of the view."""
    return {i: F.normalize(torch.randn(b, d), dim=1).requires_grad_() for i in range(views)}


def detached(z):
    """The same embeddings without gradient."""
    return {i: e.detach() for i, e in z.items()}


def small_trainer(
    name="cmc",
    *,
    views=None,
    images=IMAGES,
    mask=None,
    beta=None,
    encoder=None,
    precision="32-true",
    settings=None,
    **options,
):
    """A trainer of one epoch: by default 8 steps of 8 images.

    Arguments:
        name: of the method.
        views: whole images by default, with one encoder for both.
        images: of the training.
        mask: views that each image has.
        beta: weight of a JigSaw branch; None is without.
        encoder: options of the encoders.
        precision: of the trainer.
        settings: numbers of the training.
        options: of the method.
    """
    views = views or WholeViews()
    one_for_all = isinstance(views, WholeViews)
    return make_trainer(
        views,
        images,
        name,
        settings={"epochs": 1, "batch": 8} | (settings or {}),
        view_mask=mask,
        fabric=make_fabric("cpu", precision=precision),
        optimizer=partial(torch.optim.AdamW, lr=1e-2),
        net=small_net(**{"shared": one_for_all} | (encoder or {})),
        jigsaw=None if beta is None else JigSaw(SIZE, cell=CELL, piece=PIECE),
        beta=beta,
        **options,
    )


def losses_of(trainer, steps=None):
    """The losses of all steps, or of this number of them."""
    trainer.steps = steps or trainer.steps
    return [metrics["loss"] for metrics in trainer]


def assert_resumes(whole, first, second):
    """Check that a run stopped half way and resumed has the losses and the state of an unbroken."""
    expected, running = losses_of(whole), iter(first)
    losses = [next(running)["loss"] for _ in range(whole.steps // 2)]
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert losses + losses_of(second) == expected and len(expected) > 1
    state = second.method.state_dict()
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, state[name]), name


def assert_same_gradients(trainer, other, **tolerance):
    """Check that the parameters of two trainers have the same gradients."""
    for p, q in zip(trainer.parameters, other.parameters, strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, **tolerance)


def slow_loss(method, z, targets, batch, anchors=None):
    """The loss of a contrastive method, one anchor and one dot product at a time.

    Arguments:
        method: contrastive, before its first step.
        z, targets, batch: see `Method.loss`; without gradient.
        anchors: embeddings in the place of those of the views, such as those of pieces.
    """
    anchors = anchors or z
    total = 0.0
    for number, (i, j) in enumerate(method.pairs):
        if not {i, j} <= {*z, *targets}:
            continue
        both = {"one_way": [(i, j)], "own": [(i, i)]}.get(method.graph, [(i, j), (j, i)])
        losses = [_slow_direction(method, anchors[a], b, z, targets, batch) for a, b in both]
        total += method.weights[number] * sum(losses) / len(losses)
    return total


def _slow_direction(method, anchor, j, z, targets, batch):
    positive, negatives, samples = [], [], batch.index.tolist()
    for n, sample in enumerate(samples):
        others = [k for k in range(len(samples)) if k != n]
        if isinstance(method, MoCo):
            positives, row = targets[j], [*method.queue.of(j)]
        elif isinstance(method, SimCLR):
            positives, row = z[j], [z[j][k] for k in others] + [anchor[k] for k in others]
        elif method.bank is not None:
            rows, drawn = method.bank.bank.of(j), method.bank.draw(j, batch)
            row = [rows[k] for k in (drawn if drawn.ndim == 1 else drawn[n])]
            positives = {n: rows[sample]} if method.bank.positive == "bank" else z[j]
        else:
            positives, row = z[j], [z[j][k] for k in others]
        positive.append(anchor[n] @ positives[n] / method.temperature)
        negatives.append(torch.stack([anchor[n] @ r / method.temperature for r in row]))
    positive, negatives = torch.stack(positive), torch.stack(negatives)
    if isinstance(method.pair_loss, SoftmaxLoss):
        return reference.sampled_softmax(positive, negatives)
    if isinstance(method.pair_loss, LogisticLoss):
        z_of_batch = torch.cat([positive, negatives.flatten()]).exp().mean().item()
        z_of_batch *= method.context.samples
        return reference.logistic(positive, negatives, z_of_batch, method.context.samples)
    hinge = 0.2 + method.temperature * (negatives - positive[:, None])
    return hinge.clamp(min=0).mean().item()
