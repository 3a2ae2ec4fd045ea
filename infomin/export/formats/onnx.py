"""`generator.onnx`, `generator_uint8.onnx`: g for ONNX Runtime and other readers of ONNX.

The ONNX graph takes images and applies a graph of pixel rows to them in chunks. A flow on a whole
image would move its hidden layers, 128 bytes per pixel each, through main memory: on 4 megapixels
ONNX Runtime spent half of its time there. A Scan over chunks keeps them in the caches, and an image
of any size takes little more memory than its views.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infomin.core import files
from infomin.core.channel_groups import Groups
from infomin.core.value_range import UNIT
from infomin.export.formats import Format
from infomin.export.program import Rows
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

if TYPE_CHECKING:
    from onnx import ModelProto

FILE, FILE_UINT8 = "generator.onnx", "generator_uint8.onnx"
MAX_ERROR = 1e-5
OPSET = 18
CHUNK = 2**15
"""Most pixels per chunk."""

_GRAPH = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
generator ({type}[batch, {channels}, height, width] images) => ({views}) {{
  zero = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  channels = Constant <value_ints = [{channels}]> ()
  row_shape = Constant <value_ints = [-1, {channels}]> ()
  chunk = Constant <value_ints = [{chunk}]> ()
  chunk_less_one = Sub (chunk, one)
  {scale}
  pixels = Transpose <perm = [0, 2, 3, 1]> (values)
  shape = Shape (pixels)
  rows = Reshape (pixels, row_shape)
  count = Shape <start = 0, end = 1> (rows)
  count_up = Add (count, chunk_less_one)
  full_chunks = Div (count_up, chunk)
  chunks = Max (full_chunks, one)
  chunks_less_one = Sub (chunks, one)
  length_up = Add (count, chunks_less_one)
  length = Div (length_up, chunks)
  padded_count = Mul (chunks, length)
  missing = Sub (padded_count, count)
  pads = Concat <axis = 0> (zero, zero, missing, zero)
  padded = Pad (rows, pads)
  chunk_shape = Concat <axis = 0> (chunks, length, channels)
  chunked = Reshape <allowzero = 1> (padded, chunk_shape)
  mapped = Scan <num_scan_inputs = 1> (chunked)
  joined_shape = Concat <axis = 0> (padded_count, channels)
  joined = Reshape <allowzero = 1> (mapped, joined_shape)
  unpadded = Slice (joined, zero, count, zero)
  channels_last = Reshape <allowzero = 1> (unpadded, shape)
  outputs = Transpose <perm = [0, 3, 1, 2]> (channels_last)
  {split}
}}
"""
_SCALE_FLOAT = "values = Identity (images)"
_SCALE_UINT8 = """levels = Cast <to = 1> (images)
  top = Constant <value = float {255}> ()
  values = Div (levels, top)"""


class Onnx(Format):
    """A graph for float images and, where they lie in [0, 1], one for uint8 images.

    Input `images`, outputs `view_1` ... `view_M`; batch, height and width are free.
    """

    name = "onnx"
    files = (FILE, FILE_UINT8)
    opened_by = "ONNX Runtime"
    packages = ("onnx", "onnxruntime", "onnxscript")
    usage = """
import onnxruntime

session = onnxruntime.InferenceSession("generator.onnx")
{views} = session.run(None, {{"images": images}})
"""

    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write and verify one or both graphs."""
        records = {FILE: _write(generator, folder / FILE, sample, sample.images)}
        if generator.value_range == UNIT:
            rounded = sample.to_8_bits(generator)
            records[FILE_UINT8] = _write(generator, folder / FILE_UINT8, rounded, rounded.levels)
        return records


def _write(generator: ViewGenerator, path: Path, sample: Sample, images: Tensor) -> dict[str, Any]:
    import onnx
    import onnxruntime

    names = [f"view_{i}" for i in range(1, len(generator.groups) + 1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter warns about its own code
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
    rows = program.model_proto
    for part in (rows.graph, *rows.graph.node):
        del part.metadata_props[:]  # source lines with paths of this machine
    model = over_images(rows, generator.groups, names, images.dtype == torch.uint8)
    onnx.checker.check_model(model, full_check=True)
    files.write_bytes(path, model.SerializeToString())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    views = [torch.from_numpy(v) for v in session.run(names, {"images": images.numpy()})]
    return sample.compare(path.name, views, MAX_ERROR)


def over_images(
    rows: "ModelProto", groups: Groups, names: Sequence[str], uint8: bool
) -> "ModelProto":
    """Return the model of images `b c h w` with one output per view.

    Arguments:
        rows: a model of pixel rows, one input and one output, `n c` both.
        groups: the channels of each view.
        names: of the views.
        uint8: take uint8 images and scale them to [0, 1] inside.
    """
    from onnx import compose, helper, parser

    text = _GRAPH.format(
        ir=rows.ir_version,
        opset=rows.opset_import[0].version,
        type="uint8" if uint8 else "float",
        channels=sum(map(len, groups)),
        chunk=CHUNK,
        scale=_SCALE_UINT8 if uint8 else _SCALE_FLOAT,
        views=", ".join(
            f"float[batch, {len(group)}, height, width] {name}"
            for name, group in zip(names, groups, strict=True)
        ),
        split="\n  ".join(
            f"of_{name} = Constant <value_ints = {list(group)}> ()\n"
            f"  {name} = Gather <axis = 1> (outputs, of_{name})"
            for name, group in zip(names, groups, strict=True)
        ),
    )
    model = parser.parse_model(text)
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    body = compose.add_prefix_graph(rows.graph, "pixel_")
    scan.attribute.append(helper.make_attribute("body", body))
    return model
