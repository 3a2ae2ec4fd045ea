"""The encoder of a sequence: a backbone for every frame, and an LSTM over what it makes."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.core.errors import at_least
from infomin.core.rng import seeded
from infomin.models.backbones import Backbone, feature_width

Frames = Float[Tensor, "b t c h w"]


class SequenceEncoder(nn.Module):
    """f1 of a sequence, `b t c h w -> (b, dim)`: an embedding on the unit sphere.

    Arguments:
        backbone: the same for every frame; it may be that of another encoder, too.
        channels, size: of a frame.
        hidden: width of the one layer of the LSTM; its last state is embedded by a linear head.
        dim: of the embedding.
    """

    def __init__(
        self, backbone: Backbone, channels: int, size: int, hidden: int = 64, dim: int = 64
    ) -> None:
        super().__init__()
        at_least("encoder.hidden", hidden, 1)
        self.backbone = backbone
        width = feature_width(backbone, channels, size)
        self.memory = nn.LSTM(width, hidden, batch_first=True)
        self.head = nn.Linear(hidden, dim)

    def forward(self, frames: Frames) -> Float[Tensor, "b dim"]:
        """Embed sequences of any length; float32."""
        features = self.backbone(rearrange(frames, "b t c h w -> (b t) c h w"))
        states, _ = self.memory(rearrange(features, "(b t) d -> b t d", b=len(frames)))
        z: Tensor = self.head(states[:, -1]).float()
        return F.normalize(z, dim=1)


def build_sequence_encoder(
    backbone: Backbone,
    channels: int,
    size: int,
    hidden: int = 64,
    dim: int = 64,
    seed: int = 0,
) -> SequenceEncoder:
    """Build the encoder of a sequence around a backbone.

    Arguments:
        backbone: of the frames.
        channels, size: of a frame.
        hidden: width of the LSTM.
        dim: of the embedding.
        seed: of the initial weights of LSTM and head.

    Raises:
        InputError: for an LSTM of no width.
    """
    with seeded(seed, "sequence tower"):  # the first name: another would change all weights
        return SequenceEncoder(backbone, channels, size, hidden, dim)
