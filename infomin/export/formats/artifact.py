"""The generator itself, and as a program that torch runs without infomin."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from infomin.core import artifact, files
from infomin.core.channel_groups import split
from infomin.core.shapes import Images, Views
from infomin.export.formats import FORMATS, Format
from infomin.export.sample import Sample
from infomin.flows import Composition, to_images, to_rows
from infomin.generator import ViewGenerator

PROGRAM = "generator.pt2"
MAX_ERROR = 1e-5


class Program(nn.Module):
    """g on images `b c h w`, without checks that exporters cannot trace.

    Everything that depends on weights alone is computed once.
    """

    def __init__(self, generator: ViewGenerator) -> None:
        super().__init__()
        self.rows = Composition([generator.start, generator.flow]).frozen().eval()
        self.groups = generator.groups

    def forward(self, images: Images) -> Views:
        """Return the views."""
        return split(to_images(self.rows(to_rows(images)), like=images), self.groups)


def _write_artifact(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write nothing: `infomin.export.export` writes the card last, with all records."""
    return {}


def _write_program(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write a `torch.export` program for any batch, height and width."""
    any_size = {
        0: torch.export.Dim("batch"),
        2: torch.export.Dim("height"),
        3: torch.export.Dim("width"),
    }
    program = torch.export.export(
        Program(generator),
        (sample.images[:2, :, :8, :6].expand(2, -1, -1, -1).contiguous(),),
        dynamic_shapes={"images": any_size},
        strict=True,
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # source lines with paths of this machine
    files.write(folder / PROGRAM, lambda stream: torch.export.save(program, stream))
    views = torch.export.load(folder / PROGRAM).module()(sample.images)
    return {PROGRAM: sample.compare(PROGRAM, views, MAX_ERROR)}


FORMATS["artifact"] = Format(
    _write_artifact,
    files=(artifact.WEIGHTS, artifact.CARD),
    opened_by="`infomin.load_generator`, `infomin.export.hub.HubGenerator`",
    usage="""
import infomin

g = infomin.load_generator("FOLDER")
{views} = g(images)  # images: float32, b {channels} h w
""",
)
FORMATS["torch_export"] = Format(
    _write_program,
    files=(PROGRAM,),
    opened_by="`torch.export.load`, torch alone",
    usage="""
import torch

g = torch.export.load("generator.pt2").module()
{views} = g(images)
""",
)
