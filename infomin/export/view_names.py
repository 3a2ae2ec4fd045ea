"""Names of the views of an encoder, in plain words: channels of which space, on which scale."""

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
    """Return what every view is.

    Arguments:
        views: what the card of an encoder tells of its views; see `PretrainedEncoder`.
    """
    kind = views["kind"]
    if kind in ("learned", "combined"):
        return _learned(views)
    if kind == "modalities":
        return [_MODALITIES[name] for name in views["names"]]
    color, low_high = views.get("color", "rgb"), list(views["value_range"])
    known = parse_channel_names(None, views["channels"], "channels") if color == "rgb" else None
    channels = known or channel_names(color)
    scale = "the range that it can take" if color != "rgb" else f"{low_high}"
    space = "" if color == "rgb" else f" of {color}"
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
    """Return what the views of a generator are, and those that are raw channels instead."""
    g = views["generator"]
    groups = partition(g.get("groups"), g.get("channels", 3))
    chosen = views.get("chosen", [*range(len(groups))])
    space = g.get("color", "rgb")
    return [
        f"view {i + 1} of the generator in generator/"
        if i in chosen
        else f"channels {', '.join(map(str, group))} of {space}, as the generator in generator/ "
        "starts from them"
        for i, group in enumerate(groups)
    ]
