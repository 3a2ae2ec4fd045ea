"""A trained ResNet for other libraries: one folder that torchvision and timm load from strictly.

    view_1.safetensors  view_1.pt  ...  card.json  README.md  [generator/]

Both libraries name the weights of a ResNet alike, so that one state dict serves both. Three things
differ from their networks, and are replaced there before loading: the stem is that of small images,
there is no head, and every channel of a view is standardised first. A forgotten stem or head does
not load; of what would load and be wrong, the card keeps features to compare with.
"""

import io
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from infomin import __version__, artifact, files
from infomin.encoders import Backbone, ResNet
from infomin.errors import InputError, one_of
from infomin.export import encoder_readme
from infomin.export.view_names import names
from infomin.pretrained import Pretrained, load_pretrained
from infomin.shapes import Images
from infomin.views import LearnedViews

FORMAT = "infomin-torchvision/1"
FORMATS = ("safetensors", "pt")
LARGEST_ERROR = 1e-5
"""Of a feature, in units of the largest feature, or of 1."""
_SHOWN = 4  # features that the card keeps to compare with
_READERS: dict[str, Callable[[Path], Mapping[str, Tensor]]] = {
    "safetensors": load_file,
    "pt": lambda path: torch.load(path, weights_only=True),
}


@torch.no_grad()
def export_encoder(
    source: str | Path, out: str | Path, formats: Sequence[str] | None, images: Images, data: str
) -> Path:
    """Export a saved encoder into a new folder, whole or not at all.

    Every file is read back, loaded strictly into torchvision's network, run on the images and
    compared with the tower that it is of; the card keeps the errors. Learned views come along as
    the generator that makes them, which `infomin.load_generator` takes.

    Arguments:
        source: folder of the encoder.
        out: must not exist yet.
        formats: of `FORMATS`; None for all.
        images: real ones, `b c h w`, of the channels and values that the views take.
        data: where they are from.

    Raises:
        InputError: for an unknown format, an encoder that torchvision does not have, no images, or
            an error above its bound; nothing is left behind then.
    """
    formats = FORMATS if formats is None else formats
    if not formats:
        raise InputError(f"formats: expected some of {', '.join(FORMATS)}, got none")
    for name in formats:
        one_of("formats", name, FORMATS)
    pretrained = load_pretrained(source)
    if not all(isinstance(backbone, ResNet) for backbone in pretrained.towers.backbones):
        raise InputError(
            f"pretrained: expected a ResNet, which torchvision and timm have too, got "
            f"{pretrained.encoder['name']}; infomin.pretrained.load_pretrained loads it"
        )
    if not len(images):
        raise InputError(f"data {data}: expected images to verify an export on, got none")
    card = artifact.read_card(Path(source), "encoder")
    with files.new_folder(Path(out)) as new:
        views = pretrained.views.split(images)
        meant = names(card["architecture"]["views"])
        towers = [
            _tower(pretrained, i, view, meant[i], new, formats) | {"verified_on": data}
            for i, view in enumerate(views)
        ]
        if isinstance(pretrained.views, LearnedViews):
            told = card["training"].get("generator")
            training = told if isinstance(told, dict) else {}
            pretrained.views.generator.save(new / "generator", training)
        told = {
            "format": FORMAT,
            "model": model_name(pretrained),
            "differs": differences(),
            "towers": towers,
            "architecture": card["architecture"],
            "training": card["training"],
            "versions": {
                "infomin": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
        }
        files.write_json(new / artifact.CARD, told)
        files.write_bytes(new / "README.md", encoder_readme.text(told).encode(errors="replace"))
    return Path(out)


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
    return norm.running_mean, (norm.running_var + norm.eps).sqrt()


def theirs(model: str, channels: int) -> nn.Module:
    """Build torchvision's network with all that has to be replaced in it, in evaluation mode."""
    from torchvision import models

    net: nn.Module = getattr(models, model)()
    net.conv1 = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    net.maxpool, net.fc = nn.Identity(), nn.Identity()
    return net.eval()


def differences() -> dict[str, str]:
    """Say what is not as in torchvision's and timm's networks."""
    return {
        "conv1": "3x3, stride 1, padding 1, for the channels of a view; theirs is 7x7, stride 2, "
        "padding 3, for 3 channels",
        "maxpool": "none, an Identity",
        "fc": "none, an Identity: the output is the features behind the average pool; the "
        "embedding head that contrast was trained through is not exported",
        "input": "a view, scaled as said there, minus mean, over std",
    }


def model_name(pretrained: Pretrained) -> str:
    """Return what torchvision and timm call the network."""
    return f"resnet{pretrained.encoder.get('depth', 18)}"


def _tower(
    pretrained: Pretrained, i: int, view: Tensor, meant: str, folder: Path, formats: Sequence[str]
) -> dict[str, Any]:
    """Write the files of one tower, verify them, and return what the card tells of it."""
    backbone, (channels, size) = pretrained.towers.backbones[i], (view.shape[1], pretrained.size)
    weights, (mean, std) = state_dict(backbone), normalisation(backbone)
    stored = io.BytesIO()
    torch.save(weights, stored)
    content = {"safetensors": to_bytes(weights), "pt": stored.getvalue()}
    net, expected, verified = theirs(model_name(pretrained), channels), backbone(view), {}
    for kind in formats:
        name = f"view_{i + 1}.{kind}"
        files.write_bytes(folder / name, content[kind])
        net.load_state_dict(_READERS[kind](folder / name), strict=True)
        made = net((view - mean[:, None, None]) / std[:, None, None])
        error = ((made - expected).abs().max() / expected.abs().max().clamp(min=1)).item()
        if not error <= LARGEST_ERROR:
            raise InputError(
                f"{name}: largest error {error:.1e} on {len(view)} images, expected at most "
                f"{LARGEST_ERROR:.1e}; nothing was exported"
            )
        verified[name] = {"max_error": error, "max_bound": LARGEST_ERROR, "images": len(view)}
    return {
        "view": i + 1,
        "channels": channels,
        "input": meant,
        "size": size,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "features": expected.shape[1],
        "files": verified,
        "check": backbone(ramp(channels, size))[0, :_SHOWN].tolist(),
    }


def ramp(channels: int, size: int) -> Tensor:
    """Return the input whose first features the card keeps."""
    values = torch.linspace(-1, 1, channels * size * size, dtype=torch.float32)
    return values.reshape(1, channels, size, size)
