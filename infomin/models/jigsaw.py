"""The encoder of jigsaw puzzles: nine pieces, each through the same backbone, then put together.

PIRL (arXiv:1912.01991), as in the code of InfoMin (PyContrast, networks/util.py, `JigsawHead`): a
head of its own for pieces, 2048-128 or 2048-2048-128; the nine results side by side, in the
shuffled order in which the pieces come; a linear layer to the width of an embedding; length 1.
"""

from collections.abc import Sequence

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.augment.jigsaw import GRID, Pieces
from infomin.core.errors import InputError
from infomin.core.rng import seeded
from infomin.models.backbones import feature_width
from infomin.models.encoders import Encoder, Encoders
from infomin.models.heads import build_head
from infomin.models.statistics import uncounted

PIECES = GRID**2


class JigSawEncoders(nn.Module):
    """Embed puzzles as encoders embed views, `(pieces_1, ...) -> (z_1, ...)`: one for each encoder.

    An encoder that is shared embeds the puzzles of one view, which stand for those of all.

    Arguments:
        encoders: of views.
        channels: of each view.
        size: of a piece.
        seed: of the initial weights of the heads.

    Raises:
        InputError: see `JigSawEncoder`.
    """

    def __init__(
        self, encoders: Encoders, channels: Sequence[int], size: int, seed: int = 0
    ) -> None:
        super().__init__()
        apart = encoders.each[:1] if encoders.shared else encoders.each
        made = [
            JigSawEncoder(encoder, channels[i], size, seed, i) for i, encoder in enumerate(apart)
        ]
        self.encoders, self.views = nn.ModuleList(made), len(encoders)
        self.heads = nn.ModuleList([encoder.heads for encoder in made])

    def forward(
        self, views: Sequence[Float[Tensor, "b 9 _ s s"]]
    ) -> tuple[Float[Tensor, "b dim"], ...]:
        """Embed the pieces of a batch; float32."""
        return tuple(encoder(pieces) for encoder, pieces in zip(self.encoders, views, strict=True))

    def of_views(self, z: Sequence[Tensor]) -> list[Tensor]:
        """Return the embeddings of puzzles of every view."""
        return [*z] * self.views if len(z) == 1 else [*z]


class JigSawEncoder(nn.Module):
    """Embeds the puzzles of one view.

    Pieces are smaller than images, so they go as far as a backbone takes images of any size: of the
    small AlexNet to conv5. They are normalised by their own statistics, which are not remembered:
    whoever evaluates the encoder gives it whole images.

    Arguments:
        encoder: of that view; the backbone is its, the head is like its.
        channels, size: of a piece.
        seed, view: of the initial weights of the heads.

    Raises:
        InputError: for pieces too small for the backbone.
    """

    def __init__(
        self, encoder: Encoder, channels: int, size: int, seed: int = 0, view: int = 0
    ) -> None:
        super().__init__()
        self.backbone, self.tap = encoder.backbone, encoder.backbone.dense_taps[-1]
        try:
            width = feature_width(self.backbone, channels, size, self.tap)
        except RuntimeError:  # a layer is left without pixels
            raise InputError(
                f"jigsaw: pieces of {size}x{size} pixels are too small for the encoder; set a "
                "larger encoder.size, or jigsaw.cell and jigsaw.piece"
            ) from None
        with seeded(seed, "puzzle", view):
            each, join = (
                build_head(encoder.kind, width, encoder.dim),
                nn.Linear(PIECES * encoder.dim, encoder.dim),
            )
        self.heads = nn.ModuleDict({"each": each, "join": join})

    def forward(self, pieces: Pieces) -> Float[Tensor, "b dim"]:
        """Embed the pieces of a batch; float32."""
        with uncounted(self.backbone):
            features = self.backbone(rearrange(pieces, "b k c h w -> (b k) c h w"), self.tap)
        told = rearrange(self.heads["each"](features), "(b k) d -> b (k d)", k=PIECES)
        z: Tensor = self.heads["join"](told).float()
        return F.normalize(z, dim=1)
