"""`generator.pt2`: a program that runs with torch alone (`torch.export`)."""

from pathlib import Path
from typing import Any

import torch

from infomin.core import files
from infomin.export.program import Program
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FILE = "generator.pt2"
LARGEST_ERROR = 1e-5


def write(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write the program, of any batch, height and width, and verify it as read back.

    Elsewhere: `torch.export.load("generator.pt2").module()(images)`, a tuple of views.

    Raises:
        InputError: when views differ from those of g by more than 1e-5.
    """
    any_size = {0: torch.export.Dim("batch"), 2: torch.export.Dim("height")}
    any_size |= {3: torch.export.Dim("width")}
    program = torch.export.export(
        Program(generator),
        (sample.images[:2, :, :8, :6].expand(2, -1, -1, -1).contiguous(),),
        dynamic_shapes={"images": any_size},
        strict=True,
    )
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of source, with the paths of this machine
    files.write(folder / FILE, lambda stream: torch.export.save(program, stream))
    made = torch.export.load(folder / FILE).module()(sample.images)
    return {FILE: sample.verified(FILE, made, LARGEST_ERROR)}
