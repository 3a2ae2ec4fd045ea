r"""The predictive baseline of CMC (arXiv:1906.05849): pixels of each view from the others.

    L(i, j) = |p_ij(f_i(v_i)) - v_j|_1 or _2^2,     mean over images, channels and pixels

An encoder and a decoder, L1 or L2; little more is published. Here a decoder for each direction
i -> j reads the coarsest maps of backbone i, and has the resolutions and widths of the encoder, in
reverse. The embedding head and fully connected stages are not trained: a vector has lost the places
that pixels need.

L1 is in the unit of the view, L2 in its square. Where nothing is known, they are the mean absolute
deviation from the median, and the variance.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core import rng
from infomin.core.errors import InputError, one_of
from infomin.losses import BOTH_DIRECTIONS, check_pair_weights, view_pairs, weighted_sum
from infomin.methods.base import METHODS, Batch, Context, Embeddings, LossOutput, Method, Views
from infomin.methods.contrastive import memory_options
from infomin.models import Decoder, Encoders, levels

PREDICTIVE = {"l1": F.l1_loss, "l2": F.mse_loss}
WIDEST = 512
"""Of a decoder's layers: a ResNet-50 widens to four times that between its own."""
Direction = tuple[int, int]
"""(i, j): view j from view i."""


@METHODS.register("predictive")
class Predictive(Method):
    """Trains a decoder for every direction of every pair of views, and the encoders below it.

    Arguments:
        encoders, context: see `Method`; there is no temperature.
        loss: `name`, `l1` or `l2`; the loss of a pair is the mean of both directions.
        memory: none; refused otherwise.
        graph, pair_weights: see `losses.multiview`.

    Raises:
        InputError: for a memory, an unknown loss or graph, or weights that do not fit.
    """

    compares_samples = False
    trains_embeddings = False
    needs_same_pixels = True

    def __init__(
        self,
        encoders: Encoders,
        context: Context,
        loss: Mapping[str, Any],
        memory: Mapping[str, Any] | None = None,
        graph: str = "full",
        pair_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(encoders, context)
        self.name = str(loss["name"])
        one_of("loss", self.name, PREDICTIVE)
        one_of("graph", graph, BOTH_DIRECTIONS)
        memory_options(memory, "predictive", ("none",))
        self.error = PREDICTIVE[self.name]
        self.pairs = view_pairs(len(encoders), graph)
        self.weights = check_pair_weights(self.pairs, pair_weights)
        self.directions = [way for i, j in self.pairs for way in ((i, j), (j, i))]
        self.taps, self.decoders = _decoders(encoders, self.directions, context.seed)

    def check_layer(self, layer: str | None) -> None:
        """Raise an InputError for a layer behind a stage with weights that no prediction passes."""
        backbone = self.encoders.backbones[0]
        first, last = (backbone.taps.index(backbone.tap(name)) for name in (self.taps[-1], layer))
        beyond = backbone.taps[first + 1 : last + 1]
        untrained = [name for name in beyond if [*backbone.stages[name].parameters()]]
        if untrained:
            raise InputError(
                f"probe.tap: loss={self.name} predicts from {self.taps[-1]} and does not train "
                f"{', '.join(untrained)}, got {backbone.tap(layer)}; set probe.tap={self.taps[-1]}"
            )

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the pixels of view j predicted from view i, by number of the direction."""
        return dict(enumerate(self.predict(views).values()))

    def predict(self, views: Views) -> dict[Direction, Tensor]:
        """Return the pixels of view j predicted from view i, by direction (i, j); float32."""
        predicted = {}
        for i in sorted({i for i, _ in self.directions}):
            maps = self.encoders.backbones[i].maps(views[i], self.taps)
            sizes = [m.shape[2:] for m in (views[i], *maps)]
            for way in self.directions:
                if way[0] == i:
                    decoder = cast(Decoder, self.decoders[_name(way)])
                    predicted[way] = decoder(maps[-1:], sizes[-len(decoder.layers) :]).float()
        return {way: predicted[way] for way in self.directions}

    @torch.no_grad()
    def targets(self, views: Views, batch: Batch) -> Embeddings:
        """Return the pixels of the views, by number of the direction that predicts them."""
        return {number: views[j].float() for number, (_, j) in enumerate(self.directions)}

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return the weighted sum over pairs of the mean error of their two directions."""
        errors = [self.error(z[number], targets[number]) for number in range(len(self.directions))]
        pairs = [(there + back) / 2 for there, back in zip(errors[::2], errors[1::2], strict=True)]
        return LossOutput(weighted_sum(pairs, self.weights), {})


def _decoders(
    encoders: Encoders, ways: Sequence[Direction], seed: int
) -> tuple[tuple[str, ...], nn.ModuleDict]:
    """Return the layers of every resolution, and a decoder for each direction.

    A decoder mirrors its encoder. Above the finest map it has a layer for the pixels themselves,
    unless that map has their size.
    """
    size = encoders.size
    device = next(encoders.parameters()).device
    blank = tuple(torch.zeros(1, c, size, size, device=device) for c in encoders.view_channels)
    training = encoders.training
    with torch.no_grad():
        taps = levels(encoders.eval(), blank)
        maps = [b.maps(v, taps) for b, v in zip(encoders.backbones, blank, strict=True)]
    encoders.train(training)
    decoders = nn.ModuleDict()
    for i, j in ways:
        widths = [min(m.shape[1], WIDEST) for m in maps[i]]
        if tuple(maps[i][0].shape[2:]) != (size, size):
            widths = [widths[0], *widths]
        channels = [*[0] * (len(widths) - 1), maps[i][-1].shape[1]]
        with rng.seeded(seed, "predictive decoder", i, j):
            decoders[_name((i, j))] = Decoder(channels, widths, encoders.view_channels[j])
    return taps, decoders


def _name(way: Direction) -> str:
    return f"{way[0] + 1}-{way[1] + 1}"
