r"""Pretraining by prediction: pixels of each view are told from the others, nothing is contrasted.

CMC (arXiv:1906.05849) holds its contrast against this baseline: an encoder and a decoder, L1 or L2.
Little more is known of it. Here a decoder for each direction i -> j reads the coarsest maps of
backbone i, and has the resolutions and widths of the encoder, in reverse. The embedding head stays
as it starts, and so do fully connected stages: a vector has lost the places that pixels need.
"""

import time
from collections.abc import Sequence
from typing import cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from infomin.augment import Augment
from infomin.core import rng
from infomin.core.errors import InputError, one_of
from infomin.core.shapes import Image, Views
from infomin.losses import BOTH_WAYS, PREDICTIVE, pairs, total, weights_of
from infomin.models import Decoder, Encoders, levels
from infomin.training import distributed as parallel
from infomin.training.contrastive import ContrastiveSettings, MakeOptimizer, Pretraining
from infomin.training.learner import Metrics
from infomin.training.schedule import set_rate
from infomin.views import PatchViews, View

Direction = tuple[int, int]
"""(i, j): view j from view i."""
WIDEST = 512
"""Of a decoder's layers: a ResNet-50 widens to four times that between its own."""


class Prediction(Pretraining):
    """Trains one encoder per view, and a decoder for every direction of every pair of views.

    Arguments:
        views: frozen, all of one crop.
        encoders: one per view.
        images, augment, optimizer, settings, fabric: see `Pretraining`; there is no temperature.
        loss: one of `PREDICTIVE`; of a pair it is the mean of both directions.
        graph, weights: of pairs; see `losses.multiview`.

    Raises:
        InputError: as `Pretraining`; for views that do not show the same pixels, an unknown loss or
            graph, or weights that do not fit.
    """

    def __init__(
        self,
        views: View,
        encoders: Encoders,
        images: Tensor,
        augment: Augment,
        optimizer: MakeOptimizer,
        settings: ContrastiveSettings,
        fabric: Fabric,
        loss: str = "l2",
        graph: str = "full",
        weights: Sequence[float] | None = None,
    ) -> None:
        one_of("loss", loss, PREDICTIVE)
        one_of("graph", graph, BOTH_WAYS)
        _same_pixels(views, loss)
        self.pairs = pairs(len(encoders), graph)
        self.weights = weights_of(self.pairs, weights)
        self.directions = [way for i, j in self.pairs for way in ((i, j), (j, i))]
        super().__init__(views, encoders, images, augment, optimizer, settings, fabric)
        self.name, self.loss, self.cap = loss, PREDICTIVE[loss], 0.0
        frame = augment.frame(*images.shape[2:])
        self.taps, decoders = _decoders(self.encoders, views, self.directions, frame, settings.seed)
        parallel.share_batch_norm(fabric, decoders)
        self.decoders = decoders.to(fabric.device).train()
        self.modules = {"encoders": self.encoders, "decoders": self.decoders}
        self.optimizers = {
            "encoders": self.optimizer,
            "decoders": optimizer(self.decoders.parameters()),
        }

    def predict(self, views: Views) -> dict[Direction, Image]:
        """Return view j as it is told from view i, for every direction; float32."""
        predicted = {}
        with self.fabric.autocast():
            for i in sorted({i for i, _ in self.directions}):
                maps = self.encoders.backbones[i].maps(views[i], self.taps)
                sizes = [m.shape[2:] for m in (views[i], *maps)]
                for way in self.directions:
                    if way[0] == i:
                        decoder = cast(Decoder, self.decoders[_named(way)])
                        predicted[way] = decoder(maps[-1:], sizes[-len(decoder.layers) :]).float()
        return predicted

    def objective_of(self, views: Views) -> Tensor:
        """Return the weighted sum over pairs of the mean loss of their two directions."""
        predicted = self.predict(views)
        told = {(i, j): self.loss(p, views[j].float()) for (i, j), p in predicted.items()}
        return total([(told[i, j] + told[j, i]) / 2 for i, j in self.pairs], self.weights)

    def advance(self) -> Metrics:
        """One step of encoders and decoders; chunks add up, as the loss is a mean over images."""
        began = time.perf_counter()
        chunks = self.make(self.step)
        waited = time.perf_counter() - began
        images = sum(len(views[0]) for views in chunks)
        for optimizer in self.optimizers.values():
            set_rate(optimizer, self.settings.rate(self.step, self.steps))
            optimizer.zero_grad()
        parts = []
        for views in chunks:
            loss = len(views[0]) / images * self.objective_of(views)
            loss.backward()
            parts.append(loss.detach())
        value = self.finite("loss", parallel.average(self.fabric, torch.stack(parts).sum()))
        parameters = [p for module in self.modules.values() for p in module.parameters()]
        parallel.average_gradients(self.fabric, parameters)
        for optimizer in self.optimizers.values():
            optimizer.step()
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": value, "rate": rate, "data_seconds": waited}

    def trains(self, tap: str | None) -> None:
        """Make sure that what is read at a tap is trained, the last for None.

        Raises:
            InputError: for a tap behind a stage with weights that predictions do not pass.
        """
        backbone = self.encoders.backbones[0]
        first, last = (backbone.taps.index(backbone.tap(name)) for name in (self.taps[-1], tap))
        beyond = backbone.taps[first + 1 : last + 1]
        left = [name for name in beyond if [*backbone.stages[name].parameters()]]
        if left:
            raise InputError(
                f"probe.tap: loss={self.name} predicts from {self.taps[-1]} and leaves "
                f"{', '.join(left)} as they start, got {backbone.tap(tap)}; set "
                f"probe.tap={self.taps[-1]}"
            )


def _same_pixels(views: View, loss: str) -> None:
    if isinstance(views, PatchViews):
        raise InputError(
            f"views: expected views of the same pixels with loss={loss}, which predicts one from "
            "another, got patches; take views=raw, learned, frequency, modalities or whole"
        )
    if views.crops != 1:
        raise InputError(
            f"views.crops: expected shared with loss={loss}, which predicts the pixels of one view "
            "from those of another, got per_view; set views.crops=shared"
        )


def _decoders(
    encoders: Encoders,
    views: View,
    directions: Sequence[Direction],
    frame: Sequence[int],
    seed: int,
) -> tuple[tuple[str, ...], nn.ModuleDict]:
    """Return the taps of every resolution, and a decoder for each direction, the encoder mirrored.

    Above the finest map it has a layer for the pixels themselves, unless that map has their size.
    """
    where = next(encoders.parameters()).device
    ones = tuple(torch.zeros(1, c, *frame, device=where) for c in views.view_channels)
    was = encoders.training
    with torch.no_grad():
        taps = levels(encoders.eval(), ones)
        maps = [b.maps(one, taps) for b, one in zip(encoders.backbones, ones, strict=True)]
    encoders.train(was)
    decoders = nn.ModuleDict()
    for i, j in directions:
        widths = [min(m.shape[1], WIDEST) for m in maps[i]]
        if tuple(maps[i][0].shape[2:]) != tuple(frame):
            widths = [widths[0], *widths]
        channels = [*[0] * (len(widths) - 1), maps[i][-1].shape[1]]
        with rng.seeded(seed, "predictive decoder", i, j):
            decoders[_named((i, j))] = Decoder(channels, widths, views.view_channels[j])
    return taps, decoders


def _named(way: Direction) -> str:
    return f"{way[0] + 1}-{way[1] + 1}"
