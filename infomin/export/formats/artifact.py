"""`model.safetensors`, `card.json`: the generator itself. Every export contains it."""

from pathlib import Path
from typing import Any

from infomin.core import artifact
from infomin.export.formats import Format
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator


class Artifact(Format):
    """Weights and card."""

    name = "artifact"
    files = (artifact.WEIGHTS, artifact.CARD)
    opened_by = "`infomin.load_generator`, `infomin.export.hub.HubGenerator`"
    usage = """
import infomin

g = infomin.load_generator("FOLDER")
{views} = g(images)  # images: float32, b {channels} h w
"""

    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write nothing: `infomin.export.export` writes the card last, with all records."""
        return {}
