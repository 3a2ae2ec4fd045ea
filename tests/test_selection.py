"""Generators kept along a game, and which of them the labels prefer."""

import pytest
import torch
from refusal import refused

from infomin.augment import CropFlip
from infomin.data import scenes
from infomin.encoders import build_towers
from infomin.evaluation.selection import Candidate, along, cross_validated, try_views
from infomin.parallel import make_fabric
from infomin.training.contrastive import ContrastiveSettings
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
    assert cross_validated(told, labels, 5) == 1
    own = torch.eye(60)
    assert cross_validated(own, labels, 5) < 0.6, "knowing a sample by heart is worth nothing"
    with refused("selection.folds: expected 2..60, got 1"):
        cross_validated(told, labels, 1)


def test_of_equals_the_later_is_preferred():
    tried = [Candidate(100, 0.5, 1.0), Candidate(200, 0.6, 0.5), Candidate(300, 0.6, 0.2)]
    assert max(tried, key=lambda c: c.order).step == 300
    assert str(tried[1]) == "after 200 steps, 60.0% on labels held out, I_NCE 0.50 nats"


def test_views_are_tried_with_new_encoders_and_few_labels():
    data = scenes(size=16, train=128, test=8)
    views = ChannelViews(3, "ydbdr", None)
    seen = []
    for seed in (0, 0):
        f = build_towers("fourconv", views.view_channels, size=16, dim=16, seed=seed)
        accuracy, i_nce = try_views(
            views,
            f,
            data.train,
            torch.arange(0, 128, 2),
            CropFlip(16),
            ContrastiveSettings(epochs=2, batch=32),
            4,
            make_fabric("cpu", 1, "32-true"),
        )
        seen.append((accuracy, i_nce))
    assert seen[0] == seen[1] and 0 <= accuracy <= 1 and i_nce < 3.5
