"""Prediction of views: a decoder for any encoder, who is trained, known optima."""

import copy
from functools import partial

import pytest
import reference
import torch
from refusal import refused
from small import IMAGES, losses_of, small_trainer

from infomin.augment import CropFlip
from infomin.evaluation import predict, prediction_errors
from infomin.methods import Batch, predictive
from infomin.models import levels
from infomin.runs.prediction_pictures import predictions_picture
from infomin.views import ChannelViews, WholeViews

pytestmark = pytest.mark.usefixtures("single")
LOSSES = pytest.mark.parametrize("loss", ["l1", "l2"])
THREE = partial(ChannelViews, 3, "rgb", [[0], [1], [2]], "shared")


def trainer(loss="l2", views=None, **options):
    views = views or ChannelViews(crops="shared")
    return small_trainer("predictive", views=views, loss={"name": loss}, **options)


def first_views(trained):
    return trained.loader.load(0, trained.share)[0]


# Decoders for any encoder


LAYERS = tuple(f"layer{i}" for i in (1, 2, 3, 4))
NETS = [
    ({"name": "fourconv", "size": 8}, ("conv1", "conv2", "conv4"), [16, 16, 32, 64]),
    ({"name": "fourconv", "size": 17}, ("conv1", "conv2", "conv4"), [16, 16, 32, 64]),
    ({"name": "alexnet", "size": 33, "width": 0.05}, ("conv1", "conv4", "conv5"), [5, 5, 19, 10]),
    ({"name": "resnet", "size": 9}, LAYERS, [64, 128, 256, 512]),
    ({"name": "strided", "size": 19}, ("conv1", "conv2", "conv3", "conv4"), [8, 8, 16, 32, 64]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "layers", "widths"), NETS)
def test_the_decoder_mirrors_any_encoder_at_any_size(encoder, layers, widths):
    views = ChannelViews(5, "rgb", [[0, 3], [1, 2, 4]], "shared")
    images = torch.rand(4, 5, encoder["size"], encoder["size"])
    trained = trainer(views=views, images=images, encoder=encoder, settings={"batch": 4})
    method, seen = trained.method, first_views(trained)
    assert method.taps == layers == levels(method.encoders, tuple(seen.values()))
    for name, outputs in (("1-2", 3), ("2-1", 2)):
        decoder = method.decoders[name]
        assert [layer[0].out_channels for layer in decoder.layers] == widths
        assert decoder.head.out_channels == outputs and not any(decoder.read[:-1])
    for height, width in (seen[0].shape[2:], (33, 20)):  # frames of other sizes too
        frames = {i: torch.rand(2, c, height, width) for i, c in ((0, 2), (1, 3))}
        predicted = method.predict(frames)
        assert predicted[0, 1].shape == (2, 3, height, width)
        assert predicted[1, 0].shape == (2, 2, height, width)
    assert len(losses_of(trained)) == 1


def test_a_decoder_is_no_wider_than_a_limit(monkeypatch):
    monkeypatch.setattr(predictive, "WIDEST", 32)
    decoder = trainer(encoder=NETS[0][0]).method.decoders["1-2"]
    assert [layer[0].out_channels for layer in decoder.layers] == [16, 16, 32, 32]


# Directions, pairs, and what they train


def trained_by(module):
    return {name for name, p in module.named_parameters() if p.grad is not None and p.grad.any()}


@LOSSES
def test_a_direction_trains_its_backbone_and_its_decoder_only(loss):
    method, seen = (trained := trainer(loss, THREE())).method, first_views(trained)
    method.error(method.predict(seen)[0, 1], seen[1]).backward()
    backbone = {
        f"encoders.0.backbone.{n}" for n, _ in method.encoders.backbones[0].named_parameters()
    }
    decoder = {f"1-2.{name}" for name, _ in method.decoders["1-2"].named_parameters()}
    assert trained_by(method.encoders) == backbone and trained_by(method.decoders) == decoder


@LOSSES
def test_the_loss_is_the_weighted_sum_over_pairs_of_the_mean_of_directions(loss):
    error = predictive.PREDICTIVE[loss]

    def loss_of(**options):
        trained = trainer(loss, THREE(), **options)
        method, seen, batch = trained.method, first_views(trained), Batch(torch.arange(8))
        with torch.no_grad():
            z, targets = method.embed(seen, batch), method.targets(seen, batch)
            output = method.loss(z, targets, batch)
        return method, seen, output

    method, seen, output = loss_of()
    with torch.no_grad():
        each = {(i, j): error(p, seen[j]).item() for (i, j), p in method.predict(seen).items()}
    mean = {(i, j): (each[i, j] + each[j, i]) / 2 for i, j in ((0, 1), (0, 2), (1, 2))}
    assert len(each) == 6 and output.metrics == {}
    assert output.loss.item() == pytest.approx(sum(mean.values()), rel=1e-5)
    core, _, output = loss_of(graph="core")
    assert [*core.decoders] == ["1-2", "2-1", "1-3", "3-1"]
    assert output.loss.item() == pytest.approx(mean[0, 1] + mean[0, 2], rel=1e-5)
    _, _, output = loss_of(pair_weights=[0, 2, 0.5])
    assert output.loss.item() == pytest.approx(2 * mean[0, 2] + mean[1, 2] / 2, rel=1e-5)


# What is learned


def pairs_of(kind, n=512, side=6):
    """Images of two channels, uniform in [0, 1]: a linear function of one another, or noise."""
    first = torch.rand(n, 1, side, side)
    other = 0.9 - 0.6 * first if kind == "line" else torch.rand(n, 1, side, side)
    return torch.cat([first, other], 1)


def fitted(loss, kind):
    trained = trainer(
        loss,
        ChannelViews(2, crops="shared"),
        images=pairs_of(kind),
        encoder={"widths": [8], "pools": 0},
        settings={"epochs": 12, "batch": 32},
    )
    trained.loader.augment = CropFlip(6, scale=(1, 1), ratio=(1, 1))
    return trained, losses_of(trained)


def errors_of(trained, images, **options):
    method, views = trained.method, trained.loader.views
    method.encoders[0].size = images.shape[-1]
    return prediction_errors(method, views, images, **options)


@pytest.mark.slow
@LOSSES
def test_a_linear_function_of_the_other_view_is_learned(loss):
    trained, losses = fitted(loss, "line")
    chance = {"l1": (1 / 2 + 0.3) / 2, "l2": (1 / 3 + 0.12) / 2}[loss]
    near = {"l1": 0.15, "l2": 0.08}[loss]
    assert losses[0] > chance and losses[-1] < near * chance
    for each in errors_of(trained, pairs_of("line", 256)):
        assert each.error < near * each.constant


@pytest.mark.slow
@LOSSES
def test_of_independent_noise_only_the_middle_is_learned(loss):
    """Values are within [-1, 1]: a variance of 1/3, a mean absolute deviation of 1/2."""
    trained, losses = fitted(loss, "noise")
    least = {"l1": 1 / 2, "l2": 1 / 3}[loss]
    assert sum(losses[-16:]) / 16 == pytest.approx(least, rel=0.03)
    errors = errors_of(trained, pairs_of("noise", 256), chunk=100)
    assert [(e.source, e.view) for e in errors] == [(1, 2), (2, 1)]
    for each in errors:
        assert each.error == pytest.approx(least, rel=0.03)
        assert each.constant == pytest.approx(least, rel=0.03)
    assert str(errors[0]).startswith("view 2 from view 1 0.")


def test_held_out_errors_depend_on_no_chunks_and_change_nothing():
    trained = trainer("l1")
    method, views = trained.method, trained.loader.views
    losses_of(trained, 2)
    images, before = IMAGES[:20], copy.deepcopy(method.state_dict())
    whole = prediction_errors(method, views, images)
    seen, predicted = predict(method, views, images)
    error = reference.pixel_error(predicted[0, 1], seen[1], 1)
    assert whole[0].error == pytest.approx(error, rel=1e-5)
    for a, b in zip(whole, prediction_errors(method, views, images, chunk=7), strict=True):
        assert a.error == pytest.approx(b.error, rel=1e-4)
    assert method.training
    for name, value in method.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
def test_bfloat16_learns_too():
    trained = trainer(precision="bf16-mixed", settings={"epochs": 5})
    losses = losses_of(trained)
    with trained.fabric.autocast():
        assert trained.method.predict(first_views(trained))[0, 1].dtype == torch.float32
    assert sum(losses[-8:]) < 0.8 * sum(losses[:8])


def test_features_of_layers_that_are_not_trained_are_refused():
    method = trainer(images=torch.rand(8, 3, 33, 33), encoder=NETS[2][0]).method
    method.check_layer("conv3")
    for layer, untrained in (("fc6", "fc6"), (None, "fc6, fc7")):
        with refused(f"probe.tap: loss=l2 predicts from conv5 and does not train {untrained}, got"):
            method.check_layer(layer)
    method = trainer(images=torch.rand(8, 3, 9, 9), encoder=NETS[3][0]).method
    method.check_layer(None)  # the pool of a ResNet has no weights


def test_the_picture_has_truth_above_prediction():
    images = torch.rand(4, 3, 16, 16)
    trained = trainer(views=WholeViews(3, number=2, crops="shared"))
    views, predicted = predict(trained.method, trained.loader.views, images)
    figure = predictions_picture(images, views, predicted, "title", ("R", "G", "B"))
    labels = [axis.get_ylabel() for axis in figure.axes]
    names = [f"view {i}, channel {c}" for i in (1, 2) for c in (1, 2, 3)]
    assert labels[0] == "images" and labels[1::2] == names
    assert labels[2::2] == ["from view 2"] * 3 + ["from view 1"] * 3
    truth = {(i, j): views[j] for i, j in predicted}
    exact = predictions_picture(images, views, truth, "title", ("R", "G", "B"))
    drawn = [axis.get_images()[0].get_array() for axis in exact.axes]
    assert (drawn[1] == drawn[2]).all() and not (drawn[1] == drawn[3]).all()
