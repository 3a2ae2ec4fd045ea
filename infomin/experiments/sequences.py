"""A picture of pairs of views: sequences of frames, and the image that goes with each."""

import torch
from einops import rearrange
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

_GAP = 2  # pixels between frames
_INCHES = 0.8  # of a frame, whatever its pixels


@torch.no_grad()
def pairs_picture(
    v1: Float[Tensor, "b t 3 h w"], v2: Float[Tensor, "b 3 h w"], title: str
) -> Figure:
    """Draw one sample a row: the frames of v1 from left to right, and v2 behind a gap.

    Arguments:
        v1, v2: in [0, 1].
        title: above the picture.
    """
    frames = torch.cat([v1, torch.ones_like(v1[:, :1]), v2[:, None]], 1)
    padded = F.pad(rearrange(frames, "b t c h w -> (b t) c h w"), (0, _GAP, 0, _GAP), value=1.0)
    strip = rearrange(padded, "(b t) c h w -> (b h) (t w) c", b=len(v1)).cpu().numpy()
    figure = Figure(figsize=(_INCHES * frames.shape[1], _INCHES * len(v1) + 0.6), dpi=120)
    axis = figure.subplots()
    axis.imshow(strip)
    side, k = v1.shape[-1] + _GAP, v1.shape[1]
    ticks = [side * (i + 0.5) for i in (*range(k), k + 1)]
    axis.set_xticks(ticks, [*(f"x{i + 1}" for i in range(k)), "v2"], fontsize=12)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    for line in axis.spines.values():
        line.set_visible(False)
    axis.set_title(title, fontsize=12, loc="left")
    figure.tight_layout(pad=0.4)
    return figure
