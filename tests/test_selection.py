"""Selection among the generators saved during a game."""

import pytest
import scipy.stats
import torch
from refusal import refused

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.evaluation.selection import (
    Candidate,
    cross_validate,
    explain_selection,
    p_value,
    score_views,
    select_candidate,
)
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from infomin.training.schedule import steps_to_keep
from infomin.training.trainer import PretrainSettings
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")


def test_kept_steps_are_evenly_spaced_and_include_the_last():
    assert steps_to_keep(1200, 8) == [150, 300, 450, 600, 750, 900, 1050, 1200]
    assert steps_to_keep(7, 3) == [2, 5, 7] and steps_to_keep(7, 0) == []
    assert steps_to_keep(7, 7) == [*range(1, 8)]
    with refused("keep: expected 0..7, the number of steps, got 8"):
        steps_to_keep(7, 8)


@pytest.mark.slow
def test_every_label_is_held_out_once():
    """One feature is the label itself; another tells only whether a sample was there before."""
    labels = torch.arange(60) % 3
    one_hot = torch.nn.functional.one_hot(labels).float()
    assert cross_validate(one_hot, labels, 5) == (1,) * 5
    own = cross_validate(torch.eye(60), labels, 3)
    assert sum(own) / 3 < 0.6, "knowing a sample by heart is worth nothing"
    assert len(cross_validate(one_hot[:14], labels[:14], 4)) == 4, "parts of four and of three"
    with refused("selection.folds: expected 2..60, got 1"):
        cross_validate(one_hot, labels, 1)


def candidates(*folds):
    return [Candidate(100 * i, tuple(f), 1.0) for i, f in enumerate(folds, start=1)]


def test_of_equals_the_last_is_selected():
    scored = candidates((0.5, 0.7), (0.6, 0.6), (0.7, 0.5))
    assert select_candidate(scored) == 2
    assert explain_selection(scored, 2) == "the last, which is the most accurate"
    assert str(scored[1]) == "after 200 steps, 60.0% on held-out labels, I_NCE 1.00 nats"
    assert p_value(scored[0], scored[0]) == 1


def test_the_p_value_is_that_of_the_published_test():
    """The corrected test is the paired one with a larger error: 1 / k + 1 / (k - 1), not 1 / k."""
    mine, last = candidates((0.61, 0.66, 0.7, 0.64, 0.6), (0.6, 0.62, 0.64, 0.65, 0.57))
    paired = scipy.stats.ttest_rel(mine.folds, last.folds, alternative="greater")
    corrected = paired.statistic * (1 / 5 / (1 / 5 + 1 / 4)) ** 0.5
    assert p_value(mine, last) == pytest.approx(scipy.stats.t.sf(corrected, 4))


def test_luck_selects_nothing_and_a_real_gain_does():
    noise = torch.randn(300, 8, 5, generator=torch.Generator().manual_seed(0)) * 0.02
    lucky = [select_candidate(candidates(*(0.6 + game).tolist())) for game in noise]
    assert sum(place != 7 for place in lucky) < 0.05 * len(lucky)
    lead = torch.tensor([0.0, 0, 0.2, 0.15, 0, 0, 0, 0])[:, None]
    scored, *more = [candidates(*(0.6 + lead + game).tolist()) for game in noise[:50]]
    assert [select_candidate(game) for game in (scored, *more)].count(2) > 40
    assert explain_selection(scored, 2).endswith(
        f"more than the last, p = {p_value(scored[2], scored[7]):.2g}"
    )
    assert "less than after 300 steps, which may be chance" in explain_selection(scored, 7)


@pytest.mark.slow
def test_views_are_scored_with_new_encoders_and_few_labels():
    images, views = scenes(size=16, train=64, test=8).train, ChannelViews(3, "ydbdr", None)
    settings, labelled = PretrainSettings(epochs=2, batch=32), torch.arange(0, 64, 2)
    fabric, scores = make_fabric("cpu", 1, "32-true"), []
    for _ in range(2):
        f = build_encoders("fourconv", views.view_channels, size=16, dim=16)
        scores.append(score_views(views, f, images, labelled, CropFlip(16), settings, 3, fabric))
    folds, i_nce = scores[0]
    assert scores[0] == scores[1] and len(folds) == 3 and i_nce < 3.5
    assert all(0 <= accuracy <= 1 for accuracy in folds)
