"""The README of an exported encoder: what it is, how others load it, what it was measured at."""

from collections.abc import Mapping
from typing import Any

from infomin import __version__
from infomin.export.card_text import markdown_words, training_text
from infomin.export.torchvision_resnet import replaced

_USE = '''import torch
import torchvision
{reading}

net = torchvision.models.{model}()  # or timm.create_model("{model}"): all else is the same
{replaced}
net.load_state_dict({load})
net.eval()

mean = torch.tensor({mean}).reshape(-1, 1, 1)
std = torch.tensor({std}).reshape(-1, 1, 1)


@torch.no_grad()
def features(view):
    """Return features, b {features}, of a view, b {channels} h w, float32."""
    return net((view - mean) / std)


# other numbers than these: one of the lines above is missing
ramp = torch.linspace(-1, 1, {numbers}).reshape(1, {channels}, {size}, {size})
torch.testing.assert_close(features(ramp)[0, :{shown}], torch.tensor({check}), rtol=1e-3, atol=1e-4)
'''
_READING = {
    "safetensors": ("from safetensors.torch import load_file", 'load_file("{file}")'),
    "pt": ("", 'torch.load("{file}", weights_only=True)'),
}


def text(card: Mapping[str, Any]) -> str:
    """Return the README of an exported folder.

    Arguments:
        card: its whole card; what it tells of the training may be a stranger's.
    """
    about = training_text(card["training"])
    encoders = card["encoders"]
    if card["shared"]:
        trained = (
            f"One encoder for every view of an image, trained on {markdown_words(about.data)}."
        )
    else:
        trained = (
            f"{len(encoders)} encoders, one for each view of an image, trained on "
            f"{markdown_words(about.data)} (CMC, "
            "[arXiv:1906.05849](https://arxiv.org/abs/1906.05849)). "
            "Features of all of them side by side are what was judged."
        )
    parts = [
        "---\ntags: [contrastive-learning, feature-extraction]\n---\n",
        f"# {card['model']}, pretrained on views of images\n",
        f"{trained}\n",
        "| view | input | channels | trained at | features |\n|---|---|---|---|---|",
        *(
            f"| {'every' if card['shared'] else t['view']} | {t['input']} | {t['channels']} | "
            f"{t['size']} pixels | {t['features']} |"
            for t in encoders
        ),
        "\nWeights have torchvision's names, which are timm's, and load strictly. What differs "
        "from their networks:\n",
        *(f"* `{name}`: {what}" for name, what in card["differs"].items()),
        "\n## Use\n",
    ]
    for encoder in encoders:
        code = snippet(card["model"], card["stem"], encoder)
        which = "Every view" if card["shared"] else f"View {encoder['view']}"
        parts.append(f"{which}:\n\n```python\n{code}```\n")
    parts += [
        "## Measured\n",
        "Against the encoder that was trained, on real images, in torchvision; errors are in units "
        "of the largest feature.\n",
        "| file | largest error | images |\n|---|---|---|",
        *(
            f"| `{name}` | {r['max_error']:.1e} | {r['images']} of "
            f"{markdown_words(t['verified_on'])} |"
            for t in encoders
            for name, r in t["files"].items()
        ),
    ]
    return "\n".join(parts) + f"\n\nWritten by infomin {__version__}.\n"


def snippet(model: str, stem: str, encoder: Mapping[str, Any]) -> str:
    """Return the lines that load one encoder and check it, to be run in its folder."""
    file = next(iter(encoder["files"]))
    reading, load = _READING[file.rpartition(".")[2]]
    channels, size = encoder["channels"], encoder["size"]
    code = _USE.format(
        **{**encoder, "check": [round(value, 5) for value in encoder["check"]]},
        model=model,
        replaced="\n".join(
            f"net.{name} = torch.nn.{part}" for name, part in replaced(stem, channels).items()
        ),
        reading=reading,
        load=load.format(file=file),
        numbers=channels * size * size,
        shown=len(encoder["check"]),
    )
    return code.replace("\n\n\nnet =", "\n\nnet =")
