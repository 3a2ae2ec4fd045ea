"""The README of an exported generator: pictures, files, code that opens them, measured errors."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infomin import __version__
from infomin.core import files
from infomin.export.card_text import markdown_words, training_text
from infomin.export.formats import FORMATS
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.runs.pictures import color_picture, views_picture
from infomin.views import LearnedViews

_MAX_IMAGES = 10


def write(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
    folder: Path,
    sample: Sample,
) -> None:
    """Write `README.md`, `views.png` and `color.png` into an existing folder.

    Arguments:
        generator: g.
        training, exports: sections of its card.
        folder: with all other files of the export.
        sample: images for the pictures.
    """
    images = sample.images[:: max(1, len(sample.images) // _MAX_IMAGES)][:_MAX_IMAGES]
    views = views_picture(LearnedViews(generator), images, sample.data, generator.channel_names)
    files.write_figure(folder / "views.png", views)
    files.write_figure(folder / "color.png", color_picture(generator, sample.images[:256]))
    text = _text(generator, training, exports, folder)
    files.write_bytes(folder / "README.md", text.encode(errors="replace"))


def _text(
    generator: ViewGenerator,
    training: Mapping[str, Any],
    exports: Mapping[str, Any],
    folder: Path,
) -> str:
    about = training_text(training)
    low, high = generator.value_range
    names = [f"v{i}" for i in range(1, len(generator.groups) + 1)]
    channels = ", ".join(map(markdown_words, generator.channel_names))
    views = ", ".join(
        f"{name} has {n} channel{'s' if n > 1 else ''}"
        for name, n in zip(names, generator.view_channels, strict=True)
    )
    parts = [
        "---\nlibrary_name: infomin\ntags: [contrastive-learning, view-generator]\n---\n",
        "# A learned view generator\n",
        "An invertible, pixel-wise map from an image to views for contrastive learning "
        "(InfoMin, [arXiv:2005.10243](https://arxiv.org/abs/2005.10243)), learned on "
        f"{markdown_words(about.data)} by the objective {markdown_words(about.objective)}.\n",
        f"Images: {generator.channels} channels ({channels}), "
        f"float32 within [{low:g}, {high:g}], any size. Views: {views}.\n",
        "![Images, and the channels of their views](views.png)\n",
        "![Effect of g on colour](color.png)\n",
        "Open `card.html` in a browser to see more.\n",
        "## Use\n",
        "| file | opened by |\n|---|---|",
    ]
    written = [f for f in FORMATS.values() if (folder / f.files[0]).exists()]
    for f in written:
        present = [f"`{name}`" for name in f.files if (folder / name).exists()]
        parts.append(f"| {', '.join(present)} | {f.opened_by} |")
    for f in written:
        code = f.usage.strip().format(views=", ".join(names), channels=generator.channels)
        parts.append(f"\n```{f.language}\n{code}\n```")
    if exports:
        parts += [
            "\n## Measured\n",
            "Errors against g in float32. They are absolute; those of `.cube` files are relative "
            "to the range of each channel.\n",
            "| file | largest error | mean error | images |\n|---|---|---|---|",
            *(
                f"| `{name}` | {r['max_error']:.1e} | {r['mean_error']:.1e} | {r['images']} of "
                f"{markdown_words(r['data'])} |"
                for name, r in exports.items()
            ),
        ]
    return "\n".join(parts) + f"\n\nWritten by infomin {__version__}.\n"
