"""Names of the views of an encoder, in plain words: channels, colour space and scale."""

from collections.abc import Mapping
from typing import Any

from infomin.color import channel_names
from infomin.core.channel_groups import partition
from infomin.core.value_range import parse_channel_names

_MODALITIES = {
    "L": "L of Lab, scaled from the range that it can take to [-1, 1]",
    "ab": "a, b of Lab, each scaled from the range that it can take to [-1, 1]",
    "depth": "depth, scaled from [0, 1] to [-1, 1]",
    "normals": "surface normals of the depth, x, y, z within [-1, 1]",
}


def names(views: Mapping[str, Any]) -> list[str]:
    """Return a description of each view, given the `views` of an encoder's card."""
    kind = views["kind"]
    if kind in ("learned", "combined"):
        return _learned(views)
    if kind == "modalities":
        return [_MODALITIES[name] for name in views["names"]]
    color, scale = views.get("color", "rgb"), "the range that it can take"
    if color == "rgb":
        channels, space = parse_channel_names(None, views["channels"]), ""
        scale = str(list(views["value_range"]))
    else:
        channels, space = channel_names(color), f" of {color}"
    groups = views.get("groups") or [range(len(channels))] * views.get("number", 2)
    names = [
        f"{', '.join(channels[i] for i in group)}{space}, {'each ' * (len(group) > 1)}scaled from "
        f"{scale} to [-1, 1]"
        for group in groups
    ]
    if kind == "frequency":
        blurred = f"blurred by a Gaussian of sigma {views['sigma']:g} pixels"
        return [f"{names[0]}, {blurred}", f"{names[1]}, less the same image {blurred}"]
    return names


def _learned(views: Mapping[str, Any]) -> list[str]:
    """Describe the views of a generator, and those that are raw channels instead."""
    g = views["generator"]
    groups = partition(g.get("groups"), g.get("channels", 3))
    chosen = views.get("chosen", range(len(groups)))
    return [
        f"view {i + 1} of the generator in generator/"
        if i in chosen
        else f"channels {', '.join(map(str, group))} of {g.get('color', 'rgb')}, as the generator "
        "in generator/ starts from them"
        for i, group in enumerate(groups)
    ]
