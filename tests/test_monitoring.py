"""Metrics of encoders while they train: measuring changes nothing, and collapse has a name."""

import copy

import pytest
import torch
from refusal import refused
from torch import nn
from trainers import make_trainer

from infomin.core import rng
from infomin.data import DataSet, ImageSet
from infomin.evaluation.collapse import collapse_history, find_collapses
from infomin.evaluation.features import held_out_embeddings
from infomin.evaluation.monitoring import Monitor, MonitorSettings, line
from infomin.evaluation.representation_metrics import effective_rank
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")

EMBEDDINGS = {"alignment", "directions", "i_nce", "log_k"}
FEATURES = {"feature_rank", "feature_deviation", "feature_directions"}
SCORES = {"knn", "probe"}


def names(views):
    return {
        f"{name}_{i}" for name in ("uniformity", "deviation", "rank") for i in range(1, views + 1)
    }


def images(n, labelled=True, view_mask=None):
    """Images whose brightness is their label: two classes."""
    generator = rng.generator(n)
    labels = torch.arange(n) % 2
    noise = torch.randint(0, 100, (n, 3, 12, 12), generator=generator)
    x = (noise + 140 * labels[:, None, None, None]).to(torch.uint8)
    return ImageSet.of(x, labels if labelled else torch.full((n,), -1), view_mask=view_mask)


def data(labelled=True, view_mask=None):
    classes = ("dark", "light") if labelled else ()
    return DataSet("noise", images(48, labelled), images(40, labelled, view_mask), classes)


def learner(groups=((0,), (1, 2)), prediction=False):
    views = ChannelViews(groups=groups, crops="shared" if prediction else "per_view")
    options = {"loss": {"name": "l1"}} if prediction else {}
    method, settings = "predictive" if prediction else "cmc", {"epochs": 3, "batch": 16}
    return make_trainer(views, images(48).images, method, settings=settings, **options)


def monitor(trained, given=None, **settings):
    return Monitor(trained, given or data(), MonitorSettings(**settings))


def test_measuring_changes_nothing_and_repeats_its_numbers():
    watched, alone = learner(), learner()
    watch = monitor(watched, every=1, images=16)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    measured = []
    for metrics, expected in zip(watched, alone, strict=True):
        if watched.step in watch.steps:
            measured.append(watch.measure(metrics))
            assert watch.measure(metrics) == measured[-1]
        assert metrics["loss"] == expected["loss"]
    assert watched.method.encoders.training
    assert torch.random.get_rng_state().equal(before)
    assert [f["epoch"] for f in measured] == [1, 2, 3]
    expected = alone.method.encoders.state_dict()
    assert all(w.equal(expected[name]) for name, w in watched.method.encoders.state_dict().items())
    assert measured[-1].keys() == {"epoch"} | EMBEDDINGS | FEATURES | SCORES | names(2)
    assert min(measured[-1]["probe"], measured[-1]["knn"]) > 0.7, "brightness is told apart"
    assert measured[-1]["i_nce"] == metrics["i_nce"] and measured[-1]["directions"] == 16


def test_the_last_step_is_measured_whatever_the_interval():
    trained = learner()
    assert trained.steps == 9 and trained.loader.batches.per_epoch == 3
    due = {every: sorted(monitor(trained, every=every).steps) for every in (0, 1, 2, 5)}
    assert due == {0: [], 1: [3, 6, 9], 2: [6, 9], 5: [9]}


@pytest.mark.parametrize(
    ("options", "labelled", "expected", "text", "slashes"),
    [
        ({"groups": ((0,), (1,), (2,))}, True, EMBEDDINGS | SCORES | names(3), "uniformity ", 6),
        ({}, False, EMBEDDINGS | names(2), "loss 64% of log K | features rank ", 3),
        ({"prediction": True}, True, SCORES, "epoch 0 | features rank ", 0),
    ],
)
def test_contrast_measures_embeddings_and_labels_give_accuracies(
    options, labelled, expected, text, slashes
):
    metrics = {"loss": 1.0} if options.get("prediction") else {"i_nce": 1.0}
    measured = monitor(learner(**options), data(labelled)).measure(metrics)
    assert measured.keys() == {"epoch"} | FEATURES | expected
    assert find_collapses(measured) == {}
    shown = line(measured)
    assert text in shown and ("kNN" in shown) == labelled and shown.count("/") == slashes


def test_missing_views_are_left_out():
    view_mask = torch.ones(40, 2, dtype=torch.bool)
    view_mask[::2, 1] = False
    trained = learner()
    some = monitor(trained, data(view_mask=view_mask)).measure({"i_nce": 1.0})
    assert some.keys() == {"epoch"} | EMBEDDINGS | FEATURES | SCORES | names(2)
    assert some["deviation_2"] > 0.01
    loader, encoders = trained.loader, trained.method.encoders
    z = held_out_embeddings(loader.views, encoders, data().test.images, loader.augment)
    assert some["rank_2"] == pytest.approx(effective_rank(z[1][1::2]))
    assert some["rank_2"] != pytest.approx(effective_rank(z[1]))


def test_embeddings_that_are_not_finite_are_not_measured():
    trained = learner()
    nn.init.constant_(trained.method.encoders[0].head.bias, float("nan"))
    assert monitor(trained).measure({"i_nce": 0.0}) == {}


def flat(head, directions):
    """Let a head see so many directions only, around one place that is far away."""
    with torch.no_grad():
        head.weight.copy_(torch.eye(16)[:, :directions] @ head.weight[:directions])
        head.bias.zero_()
        head.bias[-1] = 0 if directions else 1


def test_collapse_is_named_as_it_happens():
    trained = learner()
    trained.step = 3
    good = monitor(trained).measure({"i_nce": 1.0})
    assert find_collapses(good) == {}, line(good)
    flat(trained.method.encoders.encoders[0].head, 0)
    flat(trained.method.encoders.encoders[1].head, 1)
    bad = monitor(trained).measure({"i_nce": 0.01})
    collapses = find_collapses(bad)
    assert collapses == {
        "place_1": "embeddings of view 1 are almost equal for all images: deviation 0 of "
        "1/sqrt(d), below 0.1",
        "rank_2": "embeddings of view 2 have few directions: effective rank 1.0 of 16, below 2.0",
        "i_nce": "the loss is at log K: I_NCE 0.01 of 2.77 nats, below 2%, so the encoders find "
        "nothing that the views share",
    }
    assert line(bad).split(" | ")[5] == "loss 100% of log K"


def test_collapse_of_features_is_named_apart_from_that_of_embeddings():
    trained = learner()
    for encoder in trained.method.encoders.encoders:
        nn.init.zeros_(encoder.backbone.stages["conv2"][0].weight)
    measured = monitor(trained).measure({"i_nce": 1.0})
    assert line(measured).split(" | ")[6] == "features rank 1 of 40"
    collapses = find_collapses(measured)["place_features"]
    assert collapses.startswith(
        "features are almost equal for all images: deviation 0 of 1/sqrt(d), below 0.1"
    )
    few = {"epoch": 5.0, "feature_deviation": 0.5, "feature_rank": 3.0, "feature_directions": 256.0}
    lie = "features have few directions: effective rank 3.0 of 256, below 12.8"
    assert find_collapses(few) == {"rank_features": lie}
    assert find_collapses(few | {"feature_rank": 13.0}) == {}


def test_the_history_tells_from_when_to_when():
    good = {"epoch": 5, "i_nce": 1.0, "log_k": 2.0, "directions": 16.0}
    good |= {"deviation_1": 0.9, "rank_1": 9.0}
    bad = good | {"epoch": 10, "deviation_1": 0.01}
    silent = "the loss is at log K: I_NCE 0.00 of 2.00 nats, below 2%, so the encoders find "
    assert collapse_history([good, copy.copy(good)]) == []
    assert [text[:40] for text in collapse_history([good, bad, bad | {"epoch": 15}])] == [
        "since epoch 10: embeddings of view 1 are"
    ]
    last = good | {"epoch": 15, "i_nce": 0.0}
    over, since = collapse_history([good, bad, last])
    assert over.startswith("epochs 10 to 15, then over: embeddings of view 1 are almost equal")
    assert since == f"since epoch 15: {silent}nothing that the views share"
    assert collapse_history([]) == []


def test_wrong_numbers_are_refused():
    for name, least in (("every", 0), ("images", 16), ("neighbours", 1)):
        with refused(f"monitor.{name}: expected a whole number of at least {least}, got"):
            MonitorSettings(**{name: least - 1})
