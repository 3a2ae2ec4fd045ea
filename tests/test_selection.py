"""Generators kept along a game, and which of them the labels prefer."""

import pytest
import scipy.stats
import torch
from refusal import refused

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.evaluation.selection import (
    Candidate,
    along,
    by_chance,
    compared,
    cross_validated,
    preferred,
    try_views,
)
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.training.trainer import PretrainSettings
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")


def test_generators_are_kept_evenly_and_the_last_is_among_them():
    assert along(1200, 8) == [150, 300, 450, 600, 750, 900, 1050, 1200]
    assert along(7, 3) == [2, 5, 7] and along(7, 7) == [*range(1, 8)] and along(7, 0) == []
    with refused("keep: expected 0..7 generators along the game, got 8"):
        along(7, 8)


def test_every_label_is_held_out_once():
    """One feature is the label itself; another tells only whether a sample was there before."""
    labels = torch.arange(60) % 3
    told = torch.nn.functional.one_hot(labels).float()
    assert cross_validated(told, labels, 5) == (1,) * 5
    own = cross_validated(torch.eye(60), labels, 5)
    assert sum(own) / 5 < 0.6, "knowing a sample by heart is worth nothing"
    assert len(cross_validated(told[:24], labels[:24], 7)) == 7, "parts of four and of three"
    with refused("selection.folds: expected 2..60, got 1"):
        cross_validated(told, labels, 1)


def candidates(*folds):
    return [Candidate(100 * i, tuple(f), 1.0) for i, f in enumerate(folds, start=1)]


def test_of_equals_the_last_is_preferred():
    tried = candidates((0.5, 0.7), (0.6, 0.6), (0.7, 0.5))
    assert preferred(tried) == 2
    assert compared(tried, 2) == "the last, which the labels prefer"
    assert str(tried[1]) == "after 200 steps, 60.0% on labels held out, I_NCE 1.00 nats"
    assert by_chance(tried[0], tried[0]) == 1


def test_a_lead_is_tested_as_published():
    """The corrected test is the paired one with a larger error: 1 / k + 1 / (k - 1), not 1 / k."""
    mine, last = candidates((0.61, 0.66, 0.7, 0.64, 0.6), (0.6, 0.62, 0.64, 0.65, 0.57))
    paired = scipy.stats.ttest_rel(mine.folds, last.folds, alternative="greater")
    corrected = paired.statistic * (1 / 5 / (1 / 5 + 1 / 4)) ** 0.5
    assert by_chance(mine, last) == pytest.approx(scipy.stats.t.sf(corrected, 4))


def test_luck_does_not_select_and_a_lead_does():
    noise = torch.randn(1000, 8, 5, generator=torch.Generator().manual_seed(0)) * 0.02
    lucky = [preferred(candidates(*(0.6 + game).tolist())) for game in noise]
    assert sum(place != 7 for place in lucky) < 0.05 * len(lucky)
    lead = torch.tensor([0.0, 0, 0.2, 0.15, 0, 0, 0, 0])[:, None]
    found = [preferred(candidates(*(0.6 + lead + game).tolist())) for game in noise[:100]]
    assert found.count(2) > 80
    (tried,) = [candidates(*(0.6 + lead + game).tolist()) for game in noise[:1]]
    assert compared(tried, 2).endswith(
        f"more than the last, p = {by_chance(tried[2], tried[7]):.2g}"
    )
    assert "less than after 300 steps, which may be chance" in compared(tried, 7)


def test_views_are_tried_with_new_encoders_and_few_labels():
    data = scenes(size=16, train=128, test=8)
    views = ChannelViews(3, "ydbdr", None)
    seen = []
    for seed in (0, 0):
        f = build_encoders("fourconv", views.view_channels, size=16, dim=16, seed=seed)
        folds, i_nce = try_views(
            views,
            f,
            data.train,
            torch.arange(0, 128, 2),
            CropFlip(16),
            PretrainSettings(epochs=2, batch=32),
            4,
            make_fabric("cpu", 1, "32-true"),
        )
        seen.append((folds, i_nce))
    assert seen[0] == seen[1] and len(folds) == 4 and i_nce < 3.5
    assert all(0 <= accuracy <= 1 for accuracy in folds)
