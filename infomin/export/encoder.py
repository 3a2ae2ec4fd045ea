"""A trained ResNet for other libraries: one folder that torchvision and timm load from strictly.

    view_1.safetensors  view_1.pt  ...  card.json  README.md  [generator/]

One state dict serves both; see `torchvision_resnet` for the modules that are replaced in their
networks. Every channel of a view is standardised first. A forgotten stem or head does not load.
Other mistakes would load and give wrong features: the card keeps a few features to compare with. An
encoder that all views share is one file.
"""

import platform
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from infomin import __version__
from infomin.core import artifact, files
from infomin.core.errors import InputError, one_of
from infomin.core.shapes import Image, Images
from infomin.export.readme import encoder_readme
from infomin.export.torchvision_resnet import build, differences, state_dict
from infomin.export.view_names import names
from infomin.models import ResNet
from infomin.models.pretrained_encoder import PretrainedEncoder, load_encoder
from infomin.views import LearnedViews

FORMAT = "infomin-torchvision/1"
FORMATS = ("safetensors", "pt")
LARGEST_ERROR = 1e-5
"""Of a feature, in units of the largest feature, or of 1."""
_SHOWN = 4  # features that the card keeps to compare with
_READERS: dict[str, Callable[[Path], dict[str, Tensor]]] = {
    "safetensors": load_file,
    "pt": partial(torch.load, weights_only=True),
}


def check_networks(pretrained: PretrainedEncoder) -> None:
    """Raise an InputError unless torchvision and timm have the networks of an encoder."""
    if not all(isinstance(backbone, ResNet) for backbone in pretrained.encoders.backbones):
        raise InputError(
            f"pretrained: expected a ResNet, which torchvision and timm have too, got "
            f"{pretrained.options['name']}; infomin.load_encoder loads it in Python"
        )


@torch.no_grad()
def export_encoder(
    source: str | Path, out: str | Path, formats: Sequence[str] | None, images: Images, data: str
) -> Path:
    """Export a saved encoder into a new folder, whole or not at all.

    Every file is read back, loaded strictly into torchvision's network, run on the images and
    compared with the encoder that it is of; the card keeps the errors. Learned views come along as
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
    pretrained = load_encoder(source)
    check_networks(pretrained)
    if not len(images):
        raise InputError(f"data {data}: expected images to verify an export on, got none")
    card = artifact.read_card(Path(source), "encoder")
    model = f"resnet{pretrained.options.get('depth', 18)}"
    stem = str(pretrained.options.get("stem", "small"))
    views, inputs = pretrained.views.split(images), names(card["architecture"]["views"])
    if pretrained.encoders.shared:
        views, inputs = views[:1], ["; or ".join(dict.fromkeys(inputs))]
    out = files.user_path(out)
    with files.new_folder(out) as new:
        encoders = []
        for i, (view, described) in enumerate(zip(views, inputs, strict=True)):
            net = build(model, stem, view.shape[1])
            facts = _write(pretrained, i, view, net, new, formats)
            encoders.append({"view": i + 1, "input": described, **facts, "verified_on": data})
        if isinstance(pretrained.views, LearnedViews):
            upstream = card["training"].get("generator")
            training = upstream if isinstance(upstream, dict) else {}
            pretrained.views.generator.save(new / "generator", training)
        new_card = {
            "format": FORMAT,
            "model": model,
            "stem": stem,
            "shared": pretrained.encoders.shared,
            "differs": differences(stem, [view.shape[1] for view in views]),
            "encoders": encoders,
            "architecture": card["architecture"],
            "training": card["training"],
            "versions": {
                "infomin": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
        }
        files.write_json(new / artifact.CARD, new_card)
        files.write_text(new / "README.md", encoder_readme(new_card))
    return out


def _write(
    pretrained: PretrainedEncoder,
    i: int,
    view: Image,
    net: torch.nn.Module,
    folder: Path,
    formats: Sequence[str],
) -> dict[str, Any]:
    """Write the files of one encoder, verify them in `net`, and return its section of the card."""
    backbone, channels, size = pretrained.encoders.backbones[i], view.shape[1], pretrained.size
    weights, norm = state_dict(backbone), backbone.standardize
    assert norm.running_mean is not None and norm.running_var is not None
    mean, std = norm.running_mean, torch.sqrt(norm.running_var + norm.eps)
    expected, records = backbone(view), {}
    for kind in formats:
        name = f"view_{i + 1}.{kind}"
        if kind == "pt":
            files.write(folder / name, partial(torch.save, weights))
        else:
            files.write_bytes(folder / name, save(weights))
        net.load_state_dict(_READERS[kind](folder / name), strict=True)
        features = net((view - mean[:, None, None]) / std[:, None, None])
        error = ((features - expected).abs().max() / expected.abs().max().clamp(min=1)).item()
        if not error <= LARGEST_ERROR:
            raise InputError(
                f"{name}: largest error {error:.1e} on {len(view)} images, expected at most "
                f"{LARGEST_ERROR:.1e}; nothing was exported"
            )
        records[name] = {"max_error": error, "max_bound": LARGEST_ERROR, "images": len(view)}
    ramp = torch.linspace(-1, 1, channels * size * size, dtype=torch.float32)
    return {
        "channels": channels,
        "size": size,
        "mean": mean.tolist(),
        "std": std.tolist(),
        "features": expected.shape[1],
        "files": records,
        "check": backbone(ramp.reshape(1, channels, size, size))[0, :_SHOWN].tolist(),
    }
