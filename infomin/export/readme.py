"""READMEs of exported generators and encoders, from the templates in `templates/`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infomin.export.card_text import training_text
from infomin.export.formats import FORMATS
from infomin.export.templates import render
from infomin.export.torchvision_resnet import replaced
from infomin.generator import ViewGenerator


def generator_readme(
    generator: ViewGenerator, training: Mapping[str, Any], exports: Mapping[str, Any], folder: Path
) -> str:
    """Return the README of an exported generator.

    Arguments:
        generator: g.
        training, exports: sections of its card.
        folder: with all other files of the export.
    """
    present = [
        (format, [name for name in format.files if (folder / name).exists()])
        for format in FORMATS.values()
    ]
    return render(
        "generator.md",
        generator=generator,
        names=", ".join(f"v{i}" for i in range(1, len(generator.groups) + 1)),
        training=training_text(training),
        written=[(format, names) for format, names in present if names],
        exports=exports,
    )


def encoder_readme(card: Mapping[str, Any]) -> str:
    """Return the README of an exported encoder, given its card."""
    snippets = [snippet(card["model"], card["stem"], encoder) for encoder in card["encoders"]]
    training = training_text(card["training"])
    return render("encoder.md", card=card, training=training, snippets=snippets)


def snippet(model: str, stem: str, encoder: Mapping[str, Any]) -> str:
    """Return the lines that load one encoder and check it, to be run in its folder."""
    return render(
        "load_encoder.py",
        model=model,
        replaced=replaced(stem, encoder["channels"]),
        encoder=encoder,
        check=[round(value, 5) for value in encoder["check"]],
    )
