"""`generator.onnx`, `generator_uint8.onnx`: g for ONNX Runtime and other readers of ONNX.

The ONNX graph takes images and applies a graph of pixel rows to them in chunks. A flow on a whole
image would move its hidden layers, 128 bytes per pixel each, through main memory: on 4 megapixels
ONNX Runtime spent half of its time there. A Scan over chunks keeps them in the caches, and an image
of any size takes little more memory than its views.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infomin.core import files
from infomin.core.channel_groups import Groups
from infomin.core.value_range import UNIT
from infomin.export.formats import FORMATS, Format
from infomin.export.sample import Sample
from infomin.export.templates import render
from infomin.flows import Composition
from infomin.generator import ViewGenerator

if TYPE_CHECKING:
    from onnx import ModelProto

FILE, FILE_UINT8 = "generator.onnx", "generator_uint8.onnx"
MAX_ERROR = 1e-5
OPSET = 18
CHUNK = 2**15
"""Most pixels per chunk."""


def write(generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
    """Write a graph for float images and, where they lie in [0, 1], one for uint8 images.

    Input `images`, outputs `view_1` ... `view_M`; batch, height and width are free.
    """
    records = {FILE: _write(generator, folder / FILE, sample, sample.images)}
    if generator.value_range == UNIT:
        rounded = sample.to_8_bits(generator)
        records[FILE_UINT8] = _write(generator, folder / FILE_UINT8, rounded, rounded.levels)
    return records


def _write(generator: ViewGenerator, path: Path, sample: Sample, images: Tensor) -> dict[str, Any]:
    import onnx
    import onnxruntime

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own code
        program = torch.onnx.export(
            Composition([generator.start, generator.flow]).frozen().eval(),
            (torch.zeros(8, generator.channels),),
            dynamo=True,
            input_names=["x"],
            output_names=["y"],
            dynamic_shapes={"x": {0: "n"}},
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    rows = program.model_proto
    for part in (rows.graph, *rows.graph.node):
        del part.metadata_props[:]  # source lines with paths of this machine
    model = _over_images(rows, generator.groups, images.dtype == torch.uint8)
    onnx.checker.check_model(model, full_check=True)
    files.write_bytes(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    views = [torch.from_numpy(v) for v in session.run(None, {"images": images.numpy()})]
    return sample.compare(path.name, views, MAX_ERROR)


def _over_images(rows: "ModelProto", groups: Groups, uint8: bool) -> "ModelProto":
    """Return the model of images `b c h w` with one output per view.

    Arguments:
        rows: a model of pixel rows, one input and one output, `n c` both.
        groups: the channels of each view.
        uint8: take uint8 images and scale them to [0, 1] inside.
    """
    from onnx import compose, helper, parser

    text = render(
        "images.onnx",
        ir_version=rows.ir_version,
        opset=rows.opset_import[0].version,
        groups=groups,
        channels=sum(map(len, groups)),
        chunk=CHUNK,
        uint8=uint8,
    )
    model = parser.parse_model(text)
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    body = compose.add_prefix_graph(rows.graph, "pixel_")
    scan.attribute.append(helper.make_attribute("body", body))
    return model


FORMATS["onnx"] = Format(
    write,
    files=(FILE, FILE_UINT8),
    opened_by="ONNX Runtime",
    packages=("onnx", "onnxruntime", "onnxscript"),
    usage="""
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
{views} = session.run(None, {{"images": images}})
""",
)
