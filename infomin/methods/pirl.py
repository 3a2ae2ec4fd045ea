r"""The JigSaw branch of PIRL (Misra and van der Maaten, arXiv:1912.01991) and of InfoMin.

    (1 - beta) L(v) + beta L(jigsaw)                    (PyContrast, learning/contrast_trainer.py)

An image cut into nine shuffled pieces is an anchor beside every view that is one: it has the same
positive and the same negatives, of a batch, a bank or a queue, in which it changes nothing. Its
head embeds each piece (2048-128 or 2048-2048-128), concatenates the nine results in the shuffled
order and maps them to the width of an embedding (PyContrast, networks/util.py, `JigsawHead`). Where
every view has an encoder of its own, the same pieces are seen as each of them (PyContrast's
CMCPIRL).
"""

from collections.abc import Sequence
from copy import deepcopy

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.augment.jigsaw import GRID
from infomin.core.errors import InputError
from infomin.core.rng import seeded
from infomin.losses import weighted_sum
from infomin.methods.base import Batch, Embeddings, LossOutput, Method, Views
from infomin.methods.contrastive import ContrastiveMethod
from infomin.models import Encoder, build_head
from infomin.models.backbones import feature_width, uncounted

PIECES = GRID**2


class PIRL(Method):
    """A contrastive method with a JigSaw branch.

    The pieces of view i come beside the views, under the number M + i. One encoder for all views
    has one set of pieces.

    Arguments:
        method: the contrast of the views.
        channels: of the pieces of each encoder.
        piece: side of a piece, in pixels.
        beta: weight of the branch, within [0, 1]; with 0 it changes nothing.

    Raises:
        InputError: for a weight out of range, or pieces too small for the encoder.
    """

    def __init__(
        self, method: ContrastiveMethod, channels: Sequence[int], piece: int, beta: float = 0.5
    ) -> None:
        super().__init__(method.encoders, method.context)
        check_weight(beta)
        self.method, self.beta = method, beta
        self.cap, self.targets_in_chunks = method.cap, method.targets_in_chunks
        self.heads = nn.ModuleList(
            JigSawHead(encoder, channels[i], piece, method.context.seed, i)
            for i, encoder in enumerate(self.encoders.distinct)
        )
        self.pair_loss = deepcopy(method.pair_loss)

    @property
    def views(self) -> Sequence[int]:
        """Numbers of the views that the contrast reads."""
        return self.method.views

    @property
    def jigsaw_views(self) -> range:
        """Numbers of the views that pieces are seen as, one per encoder."""
        return range(len(self.heads))

    def check(self, share: slice) -> None:
        """Refuse what the contrast refuses."""
        self.method.check(share)

    def embed(self, views: Views, batch: Batch) -> Embeddings:
        """Return the embeddings of views and, under M + i, of pieces."""
        z, m = dict(self.method.embed(self._whole(views), batch)), len(self.encoders)
        for i, head in enumerate(self.heads):
            z[m + i] = head(self.encoders.distinct[i], views[m + i])
        return z

    def targets(self, views: Views, batch: Batch) -> Embeddings:
        """Return the targets of the contrast."""
        return self.method.targets(self._whole(views), batch)

    def loss(self, z: Embeddings, targets: Embeddings, batch: Batch) -> LossOutput:
        """Return (1 - beta) L(v) + beta L(jigsaw)."""
        method, of_views, m = self.method, self._whole(z), len(self.encoders)
        pieces = [z[m + min(i, len(self.heads) - 1)] for i in range(m)]
        loss, metrics = method.loss(of_views, targets, batch)
        losses = []
        for number, ways in enumerate(method.directions):
            of_pair = []
            for side, (i, j) in enumerate(ways):
                scores = method.scores(pieces[i], i, j, of_views, targets, batch)
                of_pair.append(self.pair_loss(*scores, 2 * number + side))
            losses.append(torch.stack(of_pair).mean())
        jigsaw = weighted_sum(losses, method.weights)
        metrics |= {"loss_views": loss.item(), "loss_jigsaw": jigsaw.item()}
        return LossOutput((1 - self.beta) * loss + self.beta * jigsaw, metrics)

    def update(self, z: Embeddings, targets: Embeddings, batch: Batch) -> None:
        """Update the memory of the contrast, by views alone."""
        self.method.update(self._whole(z), targets, batch)

    def _whole(self, views: Views) -> Views:
        """Return views, or their embeddings, without the pieces."""
        return {i: v for i, v in views.items() if i < len(self.encoders)}


class JigSawHead(nn.Module):
    """Embeds the nine pieces of an image with the backbone of an encoder.

    Pieces are smaller than images, so they go as far as the backbone takes images of any size: in
    the small AlexNet to conv5. They are normalised by their own batch statistics, which are not
    remembered: an evaluation gives the encoder whole images.

    Arguments:
        encoder: of a view; the head is of the same kind.
        channels, size: of a piece.
        seed, view: of the initial weights.

    Raises:
        InputError: for pieces too small for the backbone.
    """

    def __init__(self, encoder: Encoder, channels: int, size: int, seed: int, view: int) -> None:
        super().__init__()
        self.layer = encoder.backbone.dense_taps[-1]
        try:
            width = feature_width(encoder.backbone, channels, size, self.layer)
        except RuntimeError:  # a layer is left without pixels
            raise InputError(
                f"jigsaw: pieces of {size}x{size} pixels are too small for the encoder; set a "
                "larger encoder.size, or jigsaw.cell and jigsaw.piece"
            ) from None
        with seeded(seed, "puzzle", view):  # the name of the stream: another would change weights
            self.each = build_head(encoder.kind, width, encoder.dim)
            self.join = nn.Linear(PIECES * encoder.dim, encoder.dim)

    def forward(self, encoder: Encoder, pieces: Float[Tensor, "b 9 c s s"]) -> Float[Tensor, "b d"]:
        """Return embeddings of length 1, in float32."""
        with uncounted(encoder.backbone):
            features = encoder.backbone(rearrange(pieces, "b k c h w -> (b k) c h w"), self.layer)
        z = self.join(rearrange(self.each(features), "(b k) d -> b (k d)", k=PIECES))
        return F.normalize(z.float(), dim=1)


def check_weight(beta: float) -> None:
    """Raise an InputError unless the weight of the branch is within [0, 1]."""
    if not (isinstance(beta, int | float) and 0 <= beta <= 1):
        raise InputError(f"jigsaw.beta: expected a weight within [0, 1], got {beta}")
