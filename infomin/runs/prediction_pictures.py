"""A picture of every channel of every view and of its predictions from other views."""

from collections.abc import Mapping, Sequence

from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from infomin.core.channel_groups import view_names
from infomin.core.shapes import Image, Views
from infomin.runs.pictures import Strip, image_rows, scaled, strips_picture


def predictions_picture(
    images: Float[Tensor, "b c rows columns"],
    views: Views,
    predicted: Mapping[tuple[int, int], Image],
    title: str = "",
    channel_names: Sequence[str] | None = None,
    value_range: Sequence[float] = (0.0, 1.0),
    false_color: Sequence[int] | None = None,
) -> Figure:
    """Draw images, and each channel of their views above its predictions, in the same scale.

    Arguments:
        images: within their value range.
        views: of the images.
        predicted: the prediction of view j from view i, by (i, j).
        title: above the picture.
        channel_names, value_range: of the images.
        false_color: see `views_picture`.
    """
    rows: list[Strip] = image_rows(images, channel_names, value_range, false_color)
    names = iter(view_names([view.shape[1] for view in views]))
    for j, view in enumerate(views):
        for c in range(view.shape[1]):
            truth = view[:, c : c + 1]
            rows.append((next(names), scaled(truth)))
            rows += [
                (f"from view {i + 1}", scaled(prediction[:, c : c + 1], truth))
                for (i, target), prediction in predicted.items()
                if target == j
            ]
    return strips_picture(rows, title)
