"""Prediction of views: a decoder for any encoder, who is moved, known optima, resume."""

import copy
from functools import partial

import pytest
import torch
from going_on import assert_goes_on
from infomin.training.contrastive import ContrastiveSettings
from infomin.training.predictive import WIDEST, Prediction
from refusal import refused

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.evaluation import foretell, prediction_errors
from infomin.losses import l1, l2
from infomin.models import build_encoders, levels
from infomin.runs.prediction_pictures import predictions_picture
from infomin.training.distributed import make_fabric
from infomin.views import ChannelViews, PatchViews, WholeViews

single = pytest.mark.usefixtures("single")
LOSSES = pytest.mark.parametrize("loss", ["l1", "l2"])


# Decoders for any encoder


LAYERS = tuple(f"layer{i}" for i in (1, 2, 3, 4))
NETS = [
    ({"name": "fourconv", "size": 8}, ("conv1", "conv2", "conv4"), [16, 16, 32, 64]),
    ({"name": "fourconv", "size": 17}, ("conv1", "conv2", "conv4"), [16, 16, 32, 64]),
    ({"name": "alexnet", "size": 33, "width": 0.05}, ("conv1", "conv4", "conv5"), [5, 5, 19, 10]),
    ({"name": "resnet", "size": 9}, LAYERS, [64, 128, 256, WIDEST]),
    pytest.param(
        {"name": "resnet", "size": 17, "depth": 50},
        LAYERS,
        [256, WIDEST, WIDEST, WIDEST],
        marks=pytest.mark.slow,
    ),
    ({"name": "strided", "size": 19}, ("conv1", "conv2", "conv3", "conv4"), [8, 8, 16, 32, 64]),
]


def learner(loss="l2", images=None, net=None, views=None, **options):
    """A small one; options are of the settings, or graph and weights."""
    images = scenes(size=16, train=64, test=8).train.images if images is None else images
    net = {"name": "fourconv", "size": 16, "widths": [4, 8], "pools": 2} | (net or {})
    if net["name"] != "fourconv" or net["size"] != 16:
        net = {name: v for name, v in net.items() if name not in ("widths", "pools")}
    views = views or ChannelViews(images.shape[1], crops="shared")
    pairs = {name: options.pop(name) for name in ("graph", "weights") if name in options}
    settings = ContrastiveSettings(**{"epochs": 1, "batch": 8} | options)
    make = partial(torch.optim.AdamW, lr=1e-2)
    encoders = build_encoders(view_channels=views.view_channels, dim=8, **net)
    common = (views, encoders, images, CropFlip(net["size"]), make, settings)
    return Prediction(*common, make_fabric("cpu", precision="32-true"), loss, **pairs)


@single
@pytest.mark.parametrize(("net", "taps", "widths"), NETS)
def test_the_decoder_mirrors_any_encoder_at_any_size(net, taps, widths):
    images = torch.rand(4, 5, net["size"], net["size"])
    one = learner(
        images=images, net=net, views=ChannelViews(5, "rgb", [[0, 3], [1, 2, 4]], "shared"), batch=4
    )
    assert one.taps == taps == levels(one.encoders, one.make(0)[0])
    for name, outputs in (("1-2", 3), ("2-1", 2)):
        decoder = one.decoders[name]
        assert [layer[0].out_channels for layer in decoder.layers] == widths
        assert decoder.head.out_channels == outputs and not any(decoder.read[:-1])
    (views,) = one.make(0)
    predicted = one.predict(views)
    assert {way: p.shape for way, p in predicted.items()} == {
        (0, 1): views[1].shape,
        (1, 0): views[0].shape,
    }
    for wide in ((24, 31), (33, 20)):  # other frames than those of the encoders
        frames = tuple(torch.rand(2, c, *wide) for c in (2, 3))
        assert all(p.shape[2:] == wide for p in one.predict(frames).values())
    before = [p.clone() for p in one.decoders.parameters()]
    next(iter(one))
    assert all(
        not torch.equal(p, b) for p, b in zip(one.decoders.parameters(), before, strict=True)
    )


@single
def test_a_bottleneck_of_one_place_is_read_where_there_is_nothing_else():
    one = learner(images=torch.rand(6, 3, 8, 8), net=NETS[0][0], batch=6)
    (views,) = one.make(0)
    assert one.encoders.backbones[0].maps(views[0], one.taps)[-1].shape[2:] == (1, 1)
    assert len(list(one)) == 1


# Who is moved


def moved_by(module):
    return {name for name, p in module.named_parameters() if p.grad is not None and p.grad.any()}


@single
@LOSSES
def test_a_direction_moves_its_tower_and_its_decoder_and_nothing_else(loss):
    one = learner(loss, views=ChannelViews(3, "rgb", [[0], [1], [2]], "shared"))
    (views,) = one.make(0)
    assert not any(view.requires_grad for view in views)
    target = views[1].clone().requires_grad_()
    one.loss(one.predict(views)[0, 1], target.detach()).backward()
    assert target.grad is None
    backbone = {f"encoders.0.backbone.{n}" for n, _ in one.encoders.backbones[0].named_parameters()}
    assert moved_by(one.encoders) == backbone
    assert moved_by(one.decoders) == {
        f"1-2.{name}" for name, _ in one.decoders["1-2"].named_parameters()
    }
    # a step moves all encoders but their heads
    next(iter(one))
    found = moved_by(one.encoders)
    assert found == {n for n, _ in one.encoders.named_parameters() if "head" not in n}


@single
@LOSSES
def test_the_objective_is_the_weighted_sum_over_pairs_of_the_mean_of_directions(loss):
    views, function = ChannelViews(3, "rgb", [[0], [1], [2]], "shared"), {"l1": l1, "l2": l2}[loss]
    whole = learner(loss, views=views)
    (drawn,) = whole.make(0)
    with torch.no_grad():
        predicted = whole.predict(drawn)
        error = {(i, j): function(p, drawn[j]).item() for (i, j), p in predicted.items()}
    assert len(error) == 6
    mean = {(i, j): (error[i, j] + error[j, i]) / 2 for i, j in ((0, 1), (0, 2), (1, 2))}
    assert whole.objective_of(drawn).item() == pytest.approx(sum(mean.values()), rel=1e-5)
    core = learner(loss, views=views, graph="core")
    assert [*core.decoders] == ["1-2", "2-1", "1-3", "3-1"]
    expected = mean[0, 1] + mean[0, 2]
    assert core.objective_of(drawn).item() == pytest.approx(expected, rel=1e-5)
    weighted = learner(loss, views=views, weights=[0, 2, 0.5])
    expected = 2 * mean[0, 2] + mean[1, 2] / 2
    assert weighted.objective_of(drawn).item() == pytest.approx(expected, rel=1e-5)


@single
def test_with_two_views_both_graphs_are_the_same():
    told = [[m["loss"] for m in learner(graph=graph)] for graph in ("full", "core")]
    assert told[0] == told[1] and len(told[0]) == 8


# What is learned


def pairs_of(kind, n=512, side=6):
    """Images of two channels, uniform in [0, 1]: a line, or nothing to do with one another."""
    first = torch.rand(n, 1, side, side)
    other = 0.9 - 0.6 * first if kind == "line" else torch.rand(n, 1, side, side)
    return torch.cat([first, other], 1)


def fitted(loss, kind):
    net = {"size": 16, "widths": [8], "pools": 0}
    one = learner(loss, pairs_of(kind), net, epochs=12, batch=32)
    one.augment = CropFlip(6, scale=(1, 1), ratio=(1, 1))
    told = [m["loss"] for m in one]
    return one, told


@single
@LOSSES
def test_a_linear_function_of_the_other_view_is_found(loss):
    one, told = fitted(loss, "line")
    chance = {"l1": (1 / 2 + 0.3) / 2, "l2": (1 / 3 + 0.12) / 2}[loss]
    near = {"l1": 0.15, "l2": 0.08}[loss]
    assert told[0] > chance and told[-1] < near * chance
    for each in prediction_errors(one, pairs_of("line", 256), 6):
        assert each.error < near * each.constant


@single
@LOSSES
def test_of_independent_noise_nothing_is_told_but_its_middle(loss):
    """Values are within [-1, 1]: a variance of 1/3, a mean absolute deviation of 1/2."""
    one, told = fitted(loss, "noise")
    least = {"l1": 1 / 2, "l2": 1 / 3}[loss]
    assert sum(told[-16:]) / 16 == pytest.approx(least, rel=0.03)
    found = prediction_errors(one, pairs_of("noise", 256), 6, chunk=100)
    assert [(f.source, f.view) for f in found] == [(1, 2), (2, 1)]
    for each in found:
        assert each.error == pytest.approx(least, rel=0.03)
        assert each.constant == pytest.approx(least, rel=0.03)
    assert str(found[0]).startswith("view 2 from view 1 0.")


@single
def test_held_out_errors_do_not_depend_on_chunks_and_leave_everything_as_it_was():
    one = learner("l1")
    list(one)
    images = scenes(size=16, train=8, test=40).test.images
    before = copy.deepcopy(one.state_dict())
    whole = prediction_errors(one, images, 16)
    views, predicted = foretell(one, images, 16)
    assert whole[0].error == pytest.approx(l1(predicted[0, 1], views[1]).item(), rel=1e-5)
    for a, b in zip(whole, prediction_errors(one, images, 16, chunk=7), strict=True):
        assert a.error == pytest.approx(b.error, rel=1e-4)
    assert all(module.training for module in one.modules.values())
    for name, module in one.modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, before["modules"][name][key])


# Steps


@single
@LOSSES
def test_a_resumed_prediction_goes_on_to_the_same_numbers(loss):
    whole, first, second = (learner(loss) for _ in range(3))
    expected = assert_goes_on(whole, first, second)
    for name, module in whole.modules.items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, second.modules[name].state_dict()[key]), (name, key)
    assert {*whole.state_dict()["modules"]} == {*whole.state_dict()["optimizers"]}
    assert [m["loss"] for m in learner(loss, seed=1)] != expected


@single
def test_chunks_add_up_to_the_gradient_of_the_whole():
    plain, one, parts = ([m["loss"] for m in learner(chunk=c)] for c in (None, 8, 3))
    assert plain == one != parts and parts[-1] < 1.3 * plain[-1]
    plain, chunks = learner(), learner(chunk=3)
    for each in (plain, chunks):  # of batch norm apart, which sees chunks
        for module in each.modules.values():
            module.eval()
        each.advance()
    for p, q in zip(plain.encoders.parameters(), chunks.encoders.parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None)
        if p.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, atol=1e-6, rtol=1e-4)


@single
def test_bfloat16_learns_too():
    one = learner(epochs=5)
    one.fabric = make_fabric("cpu", precision="bf16-mixed")
    told = [m["loss"] for m in one]
    assert one.predict(one.make(0)[0])[0, 1].dtype == torch.float32
    assert sum(told[-8:]) < 0.8 * sum(told[:8])


@single
def test_nothing_is_said_of_i_nce():
    metrics = next(iter(learner()))
    assert metrics.keys() == {"loss", "rate", "data_seconds"}


@single
def test_what_does_not_go_together_is_told():
    with refused("loss: expected one of l1, l2, got 'l3'"):
        learner("l3")
    with refused(
        "views.crops: expected shared with loss=l2, .*, got per_view; set views.crops=sha"
    ):
        learner(views=ChannelViews())
    with refused("views: expected views of the same pixels with loss=l1, .*, got patches; take"):
        learner("l1", views=PatchViews(3, 8, 4))
    with refused("graph: expected one of full, core, got 'ring'"):
        learner(graph="ring")
    with refused(r"pair_weights: expected 1 numbers, of the views 1-2, got \[1, 2\]"):
        learner(weights=[1, 2])
    one = learner(net=NETS[2][0])
    one.trains("conv3")
    with refused("probe.tap: loss=l2 predicts from conv5 and leaves fc6 as they start, got fc6; s"):
        one.trains("fc6")
    learner(net=NETS[3][0], batch=4).trains(None)  # its pool has nothing to train


@single
def test_the_picture_has_truth_and_prediction_below_one_another():
    images = torch.rand(4, 3, 16, 16)
    one = learner(images=images, batch=4, views=WholeViews(3, number=2, crops="shared"))
    views, predicted = foretell(one, images, 16)
    figure = predictions_picture(images, views, predicted, "title", ("R", "G", "B"))
    shown = [axis.get_ylabel() for axis in figure.axes]
    named = [f"view {i}, channel {c}" for i in (1, 2) for c in (1, 2, 3)]
    assert shown[0] == "images" and shown[1::2] == named
    assert shown[2::2] == ["from view 2"] * 3 + ["from view 1"] * 3
    truth = {(i, j): views[j] for i, j in predicted}
    exact = predictions_picture(images, views, truth, "title", ("R", "G", "B"))
    drawn = [axis.get_images()[0].get_array() for axis in exact.axes]
    assert (drawn[1] == drawn[2]).all() and not (drawn[1] == drawn[3]).all()
