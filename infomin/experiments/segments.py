"""A picture of a segmentation: frames, true classes, and predicted classes."""

from collections.abc import Sequence

import matplotlib
import torch
from einops import rearrange
from jaxtyping import Float, Integer, Num
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from torch import Tensor

from infomin.augment import as_float
from infomin.data.nyuv2 import IGNORED

_MOST_NAMES = 14  # of classes in the legend, the most frequent ones


def segmentation_picture(
    images: Num[Tensor, "b c h w"],
    truth: Integer[Tensor, "b h w"],
    guess: Integer[Tensor, "b h w"],
    classes: Sequence[str],
    title: str = "",
) -> Figure:
    """Draw frames, true and predicted classes below one another; unlabelled pixels are white.

    Arguments:
        images: R, G, B first.
        truth: labels, `IGNORED` for none.
        guess: predicted labels.
        classes: class names.
        title: above the picture.
    """
    colors = _colors(len(classes))
    seen = torch.bincount(torch.cat([truth[truth != IGNORED].long(), guess.flatten().long()]))
    rows = (
        ("frame", rearrange(as_float(images[:, :3]), "b c h w -> b h w c")),
        ("truth", colors[truth.long().clamp(max=len(classes))]),
        ("guess", colors[guess.long()]),
    )
    height, width = images.shape[2:]
    size = (1.6 * len(images) + 0.6, 3 * 1.6 * height / width + 0.9)
    layout = ConstrainedLayoutEngine(h_pad=0.02, w_pad=0.02, hspace=0, wspace=0)
    figure = Figure(figsize=size, dpi=110, layout=layout)
    axes = figure.subplots(len(rows), len(images), squeeze=False)
    for line, (name, pictures) in zip(axes, rows, strict=True):
        line[0].set_ylabel(name, fontsize=8)
        for axis, picture in zip(line, pictures, strict=True):
            axis.imshow(picture.cpu().numpy(), interpolation="nearest")
            axis.set_xticks([])
            axis.set_yticks([])
    frequent = [i for i in seen.argsort(descending=True).tolist() if seen[i]][:_MOST_NAMES]
    marks = [
        Patch(color=tuple(colors[i].tolist()), label=classes[i].replace("_", " ")) for i in frequent
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=7, fontsize=7, frameon=False)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def _colors(classes: int) -> Float[Tensor, "k 3"]:
    """Return a color per class, then white for unlabelled pixels."""
    maps = [matplotlib.colormaps[name] for name in ("tab20", "tab20b", "tab20c")]
    cycle = [color for colors in maps for color in colors(range(20))[:, :3].tolist()]
    return torch.tensor([cycle[i % len(cycle)] for i in range(classes)] + [[1.0, 1.0, 1.0]])
