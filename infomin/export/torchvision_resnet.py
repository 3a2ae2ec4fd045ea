"""torchvision's ResNet, and timm's, with the same names of weights, for encoders of this package.

Three modules are replaced before loading: the stem of encoders for small images, the stem for views
of other than three channels, and the head.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from infomin.models import Backbone


def replaced(stem: str, channels: int) -> dict[str, nn.Module]:
    """Return the modules that replace those of their networks, by their names there.

    The representation of each is the code that makes it, less `torch.nn`.

    Arguments:
        stem: of the encoder, see `ResNet`.
        channels: of a view.
    """
    if stem == "small":
        conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
        return {"conv1": conv1, "fc": nn.Identity(), "maxpool": nn.Identity()}
    conv1 = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
    return ({"conv1": conv1} if channels != 3 else {}) | {"fc": nn.Identity()}


def build(model: str, stem: str, channels: int) -> nn.Module:
    """Build torchvision's network with the modules of `replaced`, in evaluation mode."""
    from torchvision import models

    net: nn.Module = getattr(models, model)()
    for name, module in replaced(stem, channels).items():
        setattr(net, name, module)
    return net.eval()


def differences(stem: str, channels: Sequence[int]) -> dict[str, str]:
    """Return the differences from their networks, in words, for the channels of each view."""
    size = "3x3, stride 1, padding 1" if stem == "small" else "as theirs, but"
    texts = {
        "conv1": f"{size} for the channels of a view; theirs is 7x7, stride 2, padding 3, for 3 "
        "channels",
        "maxpool": "none, an Identity",
        "fc": "none, an Identity: the output is the features behind the average pool; the "
        "embedding head that contrast was trained through is not exported",
    }
    names = {name for number in channels for name in replaced(stem, number)}
    return {name: text for name, text in texts.items() if name in names} | {
        "input": "a view, scaled as said there, minus mean, over std"
    }


def state_dict(backbone: Backbone) -> dict[str, Tensor]:
    """Return the weights of a ResNet by the names that torchvision and timm have for them."""
    return {
        name.replace("stem.0.", "conv1.").replace("stem.1.", "bn1."): w.detach().cpu().contiguous()
        for name, w in backbone.stages.state_dict().items()
    }
