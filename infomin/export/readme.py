"""The README of an exported generator, with pictures: what it is, how to use it, what it does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infomin import __version__
from infomin.core import files
from infomin.export import told
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.runs.pictures import color_picture, views_picture
from infomin.views import LearnedViews

_SHOWN = 10
_USE = {
    "model.safetensors": (
        "infomin",
        'import infomin\n\ng = infomin.load_generator("{folder}")\n{views} = g(images)'
        "  # float32, b {channels} h w",
    ),
    "generator.pt2": (
        "torch alone",
        'import torch\n\ng = torch.export.load("generator.pt2").module()\n{views} = g(images)',
    ),
    "generator.onnx": (
        "ONNX Runtime",
        'import onnxruntime\n\nsession = onnxruntime.InferenceSession("generator.onnx")\n'
        '{views} = session.run(None, {{"images": images}})',
    ),
    "generator_33.cube": (
        "ffmpeg (views scaled to [0, 1]; the header of the file tells how to go back)",
        "ffmpeg -i photograph.png -vf lut3d=generator_33.cube views.png",
    ),
}


def write(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
    folder: Path,
    sample: Sample,
) -> None:
    """Write `README.md`, `views.png` and `color.png` into a folder.

    Arguments:
        generator: g.
        training, exports: those of its card.
        folder: there already.
        sample: the images that are shown.
    """
    shown = sample.images[:: max(1, len(sample.images) // _SHOWN)][:_SHOWN]
    views = views_picture(LearnedViews(generator), shown, sample.data, generator.channel_names)
    files.write_figure(folder / "views.png", views)
    files.write_figure(folder / "color.png", color_picture(generator, sample.images[:256]))
    files.write_bytes(
        folder / "README.md", _text(generator, training, exports).encode(errors="replace")
    )


def _text(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
) -> str:
    about = told.training(training)
    low, high = generator.value_range
    names = [f"v{i}" for i in range(1, len(generator.groups) + 1)]
    words = {
        "views": ", ".join(names),
        "channels": str(generator.channels),
        "folder": "FOLDER",
    }
    channels = ", ".join(map(in_line, generator.channel_names))
    made = ", ".join(
        f"{name} has {n} channel{'s' if n > 1 else ''}"
        for name, n in zip(names, generator.view_channels, strict=True)
    )
    parts = [
        "---\nlibrary_name: infomin\ntags: [contrastive-learning, view-generator]\n---\n",
        "# A learned view generator\n",
        "An invertible, pixel-wise map that sends an image to views for contrastive learning "
        "(InfoMin, [arXiv:2005.10243](https://arxiv.org/abs/2005.10243)), learned on "
        f"{in_line(about.data)} by the objective {in_line(about.objective)}.\n",
        f"Images: {generator.channels} channels ({channels}), "
        f"float32 within [{low:g}, {high:g}], any size. Views: {made}.\n",
        "![Images, and the channels of their views](views.png)\n",
        "![What becomes of colour](color.png)\n",
        "`card.html`, opened in a browser, shows more.\n",
        "## Use\n",
    ]
    for file, (where, code) in _USE.items():
        if file in exports or file == "model.safetensors":
            kind = "sh" if code.startswith("ffmpeg") else "python"
            parts.append(f"With {where}:\n\n```{kind}\n{code.format(**words)}\n```\n")
    if exports:
        parts += [
            "## Measured\n",
            "Against the float32 generator, on real images; errors are absolute, those of lookup "
            "tables relative to the range of each channel.\n",
            "| file | largest error | mean error | images |\n|---|---|---|---|",
            *(
                f"| `{name}` | {r['max_error']:.1e} | {r['mean_error']:.1e} | {r['images']} of "
                f"{in_line(r['data'])} |"
                for name, r in exports.items()
            ),
        ]
    return "\n".join(parts) + f"\n\nWritten by infomin {__version__}.\n"


def in_line(text: str) -> str:
    """Return what a stranger's card says as plain words within a line of Markdown."""
    return " ".join(re.sub(r"[^\w .,+-]", " ", text).split())
