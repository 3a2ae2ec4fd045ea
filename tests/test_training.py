"""The game: each player follows its own objective, and g takes away what views share."""

import copy
import math

import pytest
import torch
from batched import crops_of
from refusal import refused

from infomin.augment import CropFlip
from infomin.data import labelled_subset, scenes
from infomin.generator import ViewGenerator
from infomin.information import Estimate
from infomin.losses import infonce, pair_scores
from infomin.models import build_encoders
from infomin.training.diagnosis import diagnose
from infomin.training.distributed import make_fabric
from infomin.training.game_settings import GameSettings
from infomin.training.schedule import factor
from infomin.training.trainer import Diverged
from infomin.training.view_game import Game

pytestmark = pytest.mark.usefixtures("single")
DATA = scenes(size=16, train=240, test=120)


def make_game(mode="semi", groups=None, **options):
    options = {"steps": 8, "batch": 32, "labelled_batch": 16} | options
    settings = GameSettings(mode=mode, **options)
    torch.manual_seed(0)
    g = ViewGenerator(3, groups, flow={"blocks": 2, "hidden": 8})
    net = {"name": "fourconv", "size": 16, "widths": [8, 16], "pools": 2}
    f = build_encoders(view_channels=g.view_channels, dim=16, **net)
    c = build_encoders(view_channels=g.view_channels, dim=3, normalize=False, **net)
    labelled = labelled_subset(DATA.train.labels, number=60)
    fabric = make_fabric("cpu", precision="32-true")
    return Game(g, "per_view", f, c, DATA.train, labelled, CropFlip(16), settings, fabric)


def weights(module):
    return [p.detach().clone() for p in module.parameters()]


def same(module, before):
    return all(torch.equal(p, q) for p, q in zip(module.parameters(), before, strict=True))


@pytest.mark.parametrize("player", ["f", "g", "c"])
def test_a_players_step_leaves_the_others_bit_identical(player, monkeypatch):
    game = make_game()
    before = {name: weights(game.modules[name]) for name in ("f", "g", "c")}
    move = game._move
    monkeypatch.setattr(game, "_move", lambda players: move([player]))
    next(iter(game))
    for name in ("f", "g", "c"):
        assert same(game.modules[name], before[name]) == (name != player), name


def test_each_player_follows_the_gradient_of_its_own_objective(monkeypatch):
    """One backward pass for all equals three, written out from the paper's objective."""
    game = make_game(class_weights=(3.0, 0.5), info_weight=2.0, final_class=1.0)
    monkeypatch.setattr(game, "_move", lambda who: None)
    reference = copy.deepcopy(game)
    next(iter(game))

    crops, _ = crops_of(reference.batches, DATA.train.images, 0, reference.augment, 2)
    (labelled,), chosen = crops_of(
        reference.labelled_batches, DATA.train.images, 0, reference.augment, 1
    )
    y = DATA.train.labels[chosen]
    nce = infonce(pair_scores(reference.f(reference.views(*crops)), 0.1)[0])
    ce = [torch.nn.functional.cross_entropy(o, y) for o in reference.c(reference.views(labelled))]
    objectives = {
        "f": nce,
        "c": ce[0] + ce[1],
        "g": 2.0 * (math.log(32) - nce) + 3.0 * ce[0] + 0.5 * ce[1],
    }
    for name, objective in objectives.items():
        expected = torch.autograd.grad(
            objective, list(reference.modules[name].parameters()), retain_graph=True
        )
        for p, gradient in zip(game.modules[name].parameters(), expected, strict=True):
            assert p.grad is not None
            torch.testing.assert_close(p.grad, gradient, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(("mode", "idle"), [("unsup", "c"), ("sup", "f")])
def test_a_player_without_a_part_in_the_game_never_moves(mode, idle):
    game = make_game(mode, steps=2)
    before = {name: weights(game.modules[name]) for name in ("f", "g", "c")}
    list(game)
    for name in ("f", "g", "c"):
        assert same(game.modules[name], before[name]) == (name == idle), name


def test_more_estimator_steps_move_f_more_often_and_g_as_often():
    game = make_game("unsup", steps=2, estimator_steps=3)
    list(game)
    steps = {n: {int(s["step"]) for s in game.optimizers[n].state.values()} for n in ("f", "g")}
    assert steps == {"f": {6}, "g": {2}}


def test_three_views_play_and_have_metrics():
    game = make_game(groups=[[0], [1], [2]], steps=1)
    (metrics,) = game
    assert metrics["i_nce"] == pytest.approx(math.log(32) - metrics["loss"])
    assert metrics["i_nce"] <= math.log(32)
    assert 0 <= metrics["accuracy"] <= 1 and metrics["data_seconds"] > 0
    assert {"ce_1", "ce_2", "ce_3"} <= metrics.keys()
    assert len(game.result(torch.rand(1, 3, 4, 4))) == 3


def test_only_the_rate_of_g_rises_slowly():
    game = make_game("semi", warmup_g=0.5, steps=8, schedule="constant")
    game.advance()
    shares = {n: o.param_groups[0]["lr"] / o.defaults["lr"] for n, o in game.optimizers.items()}
    assert shares == pytest.approx({"g": 1 / 5, "f": 1, "c": 1})


def test_the_weights_of_the_classes_fall_and_stay_down(monkeypatch):
    """Of g's objective only: classifiers learn from first to last at full weight."""
    game = make_game("sup", class_weights=(2.0,), class_until=0.5, final_class=0.1, lr_g=1e-9)
    shares, classify = [], game._classify

    def watched(crop, y, at_views):
        metrics = classify(crop, y, at_views)
        full = torch.autograd.grad(
            torch.nn.functional.cross_entropy(game.c(views := game.views.split(crop))[0], y),
            views[0],
        )[0]
        shares.append((at_views[0][1].norm() / full.norm()).item() / 2)
        return metrics

    monkeypatch.setattr(game, "_classify", watched)
    list(game)
    assert shares[:4] == sorted(shares[:4], reverse=True)
    assert shares == pytest.approx([factor("cosine", min(t, 4), 4, final=0.1) for t in range(8)])


def test_the_average_follows_g():
    game = make_game("unsup", average=0.5, steps=1)
    before = weights(game.g)
    list(game)
    for start, now, mean in zip(before, game.g.parameters(), game.result.parameters(), strict=True):
        torch.testing.assert_close(mean, (start + now) / 2)


def test_a_saved_game_goes_on_to_the_same_numbers():
    whole, first, second = (make_game(steps=4) for _ in range(3))
    list(whole)
    for _, _ in zip(range(2), first, strict=False):
        pass
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    list(second)
    assert all(same(whole.modules[name], weights(second.modules[name])) for name in "fgc")


@pytest.mark.slow
def test_the_game_takes_away_what_views_share():
    """The same estimators find clearly less against a g that plays than against one that rests."""
    playing, resting = (
        [m["i_nce"] for m in make_game("unsup", steps=100, lr_g=rate)] for rate in (1e-2, 1e-9)
    )
    assert sum(playing[-20:]) / 20 < sum(resting[-20:]) / 20 - 0.3


def test_a_nan_stops_before_the_weights():
    game = make_game()
    with torch.no_grad():
        next(game.f.parameters()).fill_(float("nan"))
    before = weights(game.g)
    with pytest.raises(Diverged, match="L_NCE is nan at step 0"):
        list(game)
    assert same(game.g, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "both"}, "mode: expected one of unsup, semi, sup, got 'both'"),
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"lr_g": -1.0}, "lr_g: expected a number > 0, got -1.0"),
        ({"warmup_g": 1.0}, r"warmup_g: expected a share within \[0, 1\), got 1.0"),
        ({"class_until": 0.0}, r"class_until: expected a share within \(0, 1\], got 0.0"),
        ({"average": 1.0}, r"average: expected a decay within \[0, 1\), got 1.0"),
    ],
)
def test_wrong_game_settings_are_refused(options, message):
    with refused(message):
        GameSettings(**options)


def test_diagnosis_names_every_collapse():
    g, x = ViewGenerator(), torch.rand(4, 3, 8, 8)
    healthy = Estimate(1.0, 0.9, 1.1, 4.0, 100)
    assert diagnose(g, x, healthy, [0.8, 0.7], 3) == []
    empty = diagnose(g, x, Estimate(-0.7, -0.8, -0.6, 4.0, 100), [], 3)[0]
    assert "I_NCE -0.70 on held-out images is below 2% of its cap" in empty
    assert "at its cap" in diagnose(g, x, Estimate(3.99, 3.9, 4.0, 4.0, 100), [], 3)[0]
    assert "is below" in diagnose(g, x, Estimate(0.01, 0, 0.02, 4.0, 100), [], 3)[0]
    assert "classifier 2 is at chance" in diagnose(g, x, healthy, [0.9, 0.34], 3)[0]
    x[:, 1] = 0.5
    assert "output channel 2 is constant" in diagnose(g, x, healthy, [], 3)[0]
