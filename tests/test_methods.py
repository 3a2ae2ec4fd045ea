"""The contract of all methods: what is trained, chunks, resume, missing views, wrong options."""

import math
import re
from pathlib import Path

import pytest
import torch
from refusal import refused
from small import (
    BANK,
    IMAGES,
    LOSSES,
    QUEUE,
    assert_resumes,
    assert_same_gradients,
    small_encoders,
    small_trainer,
)

import infomin
from infomin.methods import METHODS, Context
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")

BYOL = {"encoder": {"head": "mlp_bn"}, "hidden": 16}
VICREG = {"encoder": {"head": "expander"}}
INFOMIN = {"memory": {**QUEUE, "groups": 2}, "graph": "one_way", "beta": 0.5}
CASES = {
    "cmc": ("cmc", {}),
    "cmc bank": ("cmc", {"memory": BANK, "loss": LOSSES[1]}),
    "cmc bank in float16": ("cmc", {"memory": {**BANK, "dtype": "float16", "draws": "per_sample"}}),
    "cmc triplet": ("cmc", {"loss": LOSSES[2]}),
    "cmc one way": ("cmc", {"memory": BANK, "graph": "one_way"}),
    "simclr": ("simclr", {}),
    "moco": ("moco", {"memory": QUEUE}),
    "infomin": ("moco", INFOMIN),
    "instdis": ("instdis", {"memory": BANK}),
    "pirl": ("instdis", {"memory": BANK, "loss": LOSSES[1], "beta": 0.5}),
    "predictive": ("predictive", {"loss": {"name": "l2"}}),
    "byol": ("byol", BYOL),
    "vicreg": ("vicreg", VICREG),
}
RGB = [[0], [1], [2]]
cases = pytest.mark.parametrize("case", CASES)


def trainer(case, **more):
    name, options = CASES[case]
    if name == "predictive":
        more = {"views": ChannelViews(3, "ydbdr", crops="shared")} | more
    return small_trainer(name, **options, **more)


def test_every_method_is_tested_here():
    assert {name for name, _ in CASES.values()} == {*METHODS}


@pytest.mark.slow
@cases
def test_training_moves_every_trained_parameter_and_lowers_the_loss(case):
    trained = trainer(case)
    method, before, trained.steps = trained.method, [p.clone() for p in trained.parameters], 24
    running = iter(trained)
    metrics = [next(running)]
    named = {name: p for name, p in method.named_parameters() if p.requires_grad}
    assert len(named) == len(trained.parameters)
    untrained = {name for name, p in named.items() if p.grad is None}
    heads = {name for name in named if re.match(r"encoders\.encoders\.\d\.head\.", name)}
    assert untrained == (set() if method.trains_embeddings else heads)
    for (name, p), old in zip(named.items(), before, strict=True):
        assert torch.equal(p, old) == (name in untrained), name
    metrics += running
    losses = [m["loss"] for m in metrics]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert all(m["i_nce"] <= trained.cap if method.cap else "i_nce" not in m for m in metrics)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "chunk"), [*((case, None) for case in CASES), ("infomin", 4)])
def test_a_resumed_training_has_the_numbers_of_an_unbroken_one(case, chunk):
    options = {"settings": {"chunk": chunk}, "images": IMAGES[:32]}
    assert_resumes(*(trainer(case, **options) for _ in range(3)))


@pytest.mark.parametrize("case", [case for case in CASES if case != "infomin"])
def test_a_batch_in_chunks_has_the_gradient_of_the_whole(case):
    """Groups of a batch are left out: they are samples in turn, and chunks are samples in a row."""
    whole, chunks = trainer(case), trainer(case, settings={"chunk": 3})
    for each in (whole, chunks):
        each.method.eval()  # batch statistics are those of chunks
        each.advance()
    assert_same_gradients(whole, chunks, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("cmc", {"graph": "core"}),
        ("cmc", {"memory": BANK}),
        ("simclr", {}),
        ("moco", {"memory": {**QUEUE, "size": 24}}),
        ("byol", BYOL),
        ("vicreg", VICREG),
    ],
    ids=str,
)
def test_images_that_lack_views_train_the_encoders_of_those_they_have(name, options):
    mask = torch.ones(64, 3).bool()
    mask[:20, 1] = False
    mask[20:25, 2] = False  # a group smaller than a batch
    trained = small_trainer(name, views=ChannelViews(3, "rgb", RGB), mask=mask, **options)
    views = [trained.loader.batches.views(step) for step in range(trained.steps)]
    assert {*views} == {(0, 1, 2), (0, 2), (0, 1)}
    for step, metrics in enumerate(trained):
        assert math.isfinite(metrics["loss"])
        for i, encoder in enumerate(trained.method.encoders.distinct):
            assert all((p.grad is None) == (i not in views[step]) for p in encoder.parameters())


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("cmc", {"loss": {"name": "hinge"}}, "loss: expected one of infonce, logistic, triplet, g"),
        ("cmc", {"memory": BANK | {"draws": "all"}}, "memory.draws: expected one of shared, per_s"),
        ("cmc", {"memory": BANK | {"positive": "no"}}, "memory.positive: expected one of bank, ba"),
        ("cmc", {"memory": BANK | {"negatives": 61}}, "memory.negatives: expected 1..60, the numb"),
        ("cmc", {"memory": BANK | {"size": 3}}, "memory=bank: .*unexpected keyword argument 'siz"),
        ("moco", {"memory": QUEUE | {"momentum": 1.0}}, "memory.momentum: expected a share within"),
        ("moco", {"memory": QUEUE | {"draws": 1}}, "memory=queue: .*unexpected keyword argument"),
        ("instdis", {"memory": BANK | {"dtype": "int8"}}, "memory.dtype: expected one of float32,"),
        ("predictive", {"loss": {"name": "l3"}}, "loss: expected one of l1, l2, got 'l3'"),
        ("predictive", {"loss": {"name": "l1"}, "graph": "own"}, "graph: expected one of full, co"),
        ("predictive", {"loss": {"name": "l1"}, "memory": BANK}, "memory: expected none with meth"),
        ("byol", {"momentum": -0.1}, "byol.momentum: expected a share within"),
        ("byol", {"hidden": 0}, "byol.hidden: expected a whole number of at least 1, got 0"),
        ("vicreg", {"variance": -1.0}, "vicreg.variance: expected at least 0, got -1.0"),
    ],
)
def test_wrong_options_are_refused(name, options, message):
    with refused(message):
        METHODS[name](small_encoders(shared=True), Context(60, 8), **options)


def test_methods_know_no_trainer_and_the_trainer_no_method():
    for folder, other, allowed in (
        ("methods", "infomin.training", set()),
        ("training", "infomin.methods", {"infomin.methods.base"}),
    ):
        for path in (Path(infomin.__file__).parent / folder).glob("*.py"):
            assert {*re.findall(rf"{other}[.\w]*", path.read_text())} <= allowed, path
