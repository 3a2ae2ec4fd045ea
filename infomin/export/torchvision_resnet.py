"""torchvision's ResNet, and timm's, which names weights alike: what an encoder of ours needs there.

Three things differ, and are replaced before loading: the stem of encoders for small images, that of
views with other than three channels, and the head, which is none.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infomin.models import Backbone


def replaced(stem: str, channels: int) -> dict[str, nn.Module]:
    """Return what their networks need in place of their own, by its name there.

    The representation of each is the code that makes it, less `torch.nn`.

    Arguments:
        stem: of the encoder, see `ResNet`.
        channels: of a view.
    """
    parts: dict[str, nn.Module] = {"fc": nn.Identity()}
    if stem == "small":
        parts["conv1"] = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        parts["maxpool"] = nn.Identity()
    elif channels != 3:
        parts["conv1"] = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
    return dict(sorted(parts.items()))


def build(model: str, stem: str, channels: int) -> nn.Module:
    """Build torchvision's network with all that has to be replaced in it, in evaluation mode."""
    from torchvision import models

    net: nn.Module = getattr(models, model)()
    for name, part in replaced(stem, channels).items():
        setattr(net, name, part)
    return net.eval()


def differences(stem: str, channels: Sequence[int]) -> dict[str, str]:
    """Say what is not as in their networks.

    Arguments:
        stem: see `replaced`.
        channels: of each view.
    """
    size = "3x3, stride 1, padding 1" if stem == "small" else "as theirs, but"
    texts = {
        "conv1": f"{size} for the channels of a view; theirs is 7x7, stride 2, padding 3, for 3 "
        "channels",
        "maxpool": "none, an Identity",
        "fc": "none, an Identity: the output is the features behind the average pool; the "
        "embedding head that contrast was trained through is not exported",
    }
    differing = {name for number in channels for name in replaced(stem, number)}
    return {name: text for name, text in texts.items() if name in differing} | {
        "input": "a view, scaled as said there, minus mean, over std"
    }


def state_dict(backbone: Backbone) -> dict[str, Tensor]:
    """Return the weights of a ResNet by the names that torchvision and timm have for them."""
    renamed = {"stem.0": "conv1", "stem.1": "bn1"}
    weights = {}
    for name, w in backbone.stages.state_dict().items():
        for ours, theirs in renamed.items():
            name = name.replace(f"{ours}.", f"{theirs}.") if name.startswith(f"{ours}.") else name
        weights[name] = w.detach().cpu().contiguous()
    return weights


def normalisation(backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Return mean and deviation that each channel of a view is standardised by."""
    norm = backbone.standardize
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, torch.sqrt(norm.running_var + norm.eps)
