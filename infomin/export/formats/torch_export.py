"""`generator.pt2`: a program for torch alone, without infomin."""

from pathlib import Path
from typing import Any

import torch

from infomin.core import files
from infomin.export.formats import Format
from infomin.export.program import Program
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FILE = "generator.pt2"
MAX_ERROR = 1e-5


class TorchExport(Format):
    """A `torch.export` program for any batch, height and width."""

    name = "torch_export"
    files = (FILE,)
    opened_by = "`torch.export.load`, torch alone"
    usage = """
import torch

g = torch.export.load("generator.pt2").module()
{views} = g(images)
"""

    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write and verify the program."""
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
        files.write(folder / FILE, lambda stream: torch.export.save(program, stream))
        views = torch.export.load(folder / FILE).module()(sample.images)
        return {FILE: sample.compare(FILE, views, MAX_ERROR)}
