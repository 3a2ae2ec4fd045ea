"""The trainer: it calls a method in order, trains all its parameters, and repeats its numbers."""

import pytest
import torch
from refusal import refused
from trainers import make_trainer

from infomin.data import scenes
from infomin.methods import METHODS, LossOutput, Method
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import PretrainSettings
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")
IMAGES = scenes(size=16, train=48, test=12).train.images


def test_pretraining_is_a_function_of_its_seed():
    def losses(seed):
        trainer = make_trainer(ChannelViews(3, "ydbdr"), IMAGES, settings={"seed": seed})
        return [metrics["loss"] for metrics in trainer]

    first, again, other = (losses(seed) for seed in (0, 0, 1))
    assert first == again != other and len(first) == 8


class Recorder(Method):
    """Draws views together and writes down how the trainer calls it."""

    def __init__(self, encoders, context):
        super().__init__(encoders, context)
        self.calls, self.scale = [], torch.nn.Parameter(torch.ones(()))

    def embed(self, views, batch):
        self.calls.append(("embed", len(views[0]), torch.is_grad_enabled()))
        return {i: self.scale * z for i, z in super().embed(views, batch).items()}

    def targets(self, views, batch):
        self.calls.append(("targets", len(views[0]), torch.is_grad_enabled()))
        return {i: torch.ones(len(v), 16) for i, v in views.items()}

    def loss(self, z, targets, batch):
        self.calls.append(("loss", len(z[0]), len(targets[0]), batch.step))
        return LossOutput((z[0] - z[1]).square().sum() + self.scale, {"mine": 1.0})

    def update(self, z, targets, batch):
        self.calls.append(("update", len(z[0]), len(batch.index), self.scale.item() < 1))


@pytest.mark.parametrize("chunk", [None, 5])
def test_the_trainer_calls_a_method_in_order_and_trains_all_its_parameters(monkeypatch, chunk):
    monkeypatch.setitem(METHODS, "recorder", Recorder)
    trainer = make_trainer(
        ChannelViews(), IMAGES, "recorder", settings={"batch": 12, "chunk": chunk}
    )
    metrics = trainer.advance()
    sizes = [12] if chunk is None else [5, 5, 2]
    again = [] if chunk is None else [("embed", n, True) for n in sizes]
    assert trainer.method.calls == [
        *(("targets", n, False) for n in sizes),
        *(("embed", n, chunk is None) for n in sizes),
        ("loss", 12, 12, 0),
        *again,
        ("update", 12, 12, True),  # after the step of the optimiser
    ]
    assert trainer.cap == 0 and metrics.keys() == {"loss", "mine", "rate", "data_seconds"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "epochs: expected at least 0, got -1"),
        ({"batch": 1}, "batch: expected at least 2 images, got 1"),
        ({"temperature": 0.0}, "temperature: expected a number > 0, got 0.0"),
        ({"warmup": 1.0}, r"warmup: expected a share within \[0, 1\), got 1.0"),
        ({"chunk": 0}, "chunk: expected a whole number of at least 1, got 0"),
        ({"final": 2.0}, r"pretrain.final: expected a share within \[0, 1\], got 2.0"),
        ({"schedule": "linear"}, "pretrain.schedule: expected one of constant, cosine, steps"),
    ],
)
def test_wrong_pretraining_settings_are_refused(options, message):
    with refused(message):
        PretrainSettings(**options)


def test_schedules():
    assert factor("constant", 7, 10) == 1
    assert factor("cosine", 0, 10) == 1 and factor("cosine", 10, 10) == pytest.approx(0)
    assert factor("cosine", 5, 10, final=0.2) == pytest.approx(0.6)
    assert factor("cosine", 0, 100, warmup=0.1) == pytest.approx(1 / 11)
    assert [round(factor("steps", s, 10), 3) for s in (5, 6, 8)] == [1, 0.2, 0.04]
    with refused("schedule: expected one of constant, cosine, steps"):
        factor("linear", 0, 1)


def test_the_rate_is_a_share_of_the_peak():
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    for share in (0.5, 0.1):
        set_rate(optimizer, share)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * share)
