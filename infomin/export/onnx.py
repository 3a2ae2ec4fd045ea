"""`generator.onnx`: g for ONNX Runtime and everything else that reads ONNX."""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.value_range import UNIT
from infomin.export.chunks import over_images
from infomin.export.program import Rows
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

FILE, FILE_8_BITS = "generator.onnx", "generator_uint8.onnx"
LARGEST_ERROR = 1e-5
OPSET = 18


def write(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write g for float images and, where they lie in [0, 1], for uint8 ones; verify both.

    Input `images`, outputs `view_1` ... `view_M`; batch, height and width are free.

    Raises:
        InputError: when ONNX is not installed, or views differ by more than 1e-5.
    """
    needed()
    records = {FILE: _one(generator, folder / FILE, sample, sample.images)}
    if generator.value_range == UNIT:
        rounded = sample.eight_bits(generator)
        levels = (rounded.images * 255).round().byte()
        records[FILE_8_BITS] = _one(generator, folder / FILE_8_BITS, rounded, levels)
    return records


def needed() -> None:
    """Make sure, before any work, that ONNX can be written and run.

    Raises:
        InputError: saying what to install.
    """
    for name in ("onnx", "onnxruntime", "onnxscript"):
        if find_spec(name) is None:
            raise InputError(
                f"onnx: {name} is not installed; pip install 'infomin[onnx]', or leave onnx out of "
                "formats"
            )


def _one(generator: ViewGenerator, path: Path, sample: Sample, images: Tensor) -> dict[str, Any]:
    import onnx
    import onnxruntime

    names = [f"view_{i}" for i in range(1, len(generator.groups) + 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about itself
        program = torch.onnx.export(
            Rows(generator),
            (torch.zeros(8, generator.channels),),
            dynamo=True,
            input_names=["x"],
            output_names=["y"],
            dynamic_shapes={"x": {0: "n"}},
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    pixels = program.model_proto
    for part in (pixels.graph, *pixels.graph.node):
        del part.metadata_props[:]  # lines of source, with the paths of this machine
    model = over_images(pixels, generator.groups, names, images.dtype == torch.uint8)
    onnx.checker.check_model(model, full_check=True)
    files.write_bytes(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    made = [torch.from_numpy(v) for v in session.run(names, {"images": images.numpy()})]
    return sample.verified(path.name, made, LARGEST_ERROR)
