"""An ONNX graph of images around one of pixels, which goes over them in chunks.

A flow on a whole image writes and reads its hidden layers, 128 bytes a pixel each, through main
memory: on 4 megapixels ONNX Runtime spent half of its time there. A Scan over chunks keeps them in
the caches, and an image of any size takes little more memory than its views.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from infomin.core.channel_groups import Groups

if TYPE_CHECKING:
    from onnx import ModelProto

CHUNK = 2**15
"""Most pixels at once."""

_IMAGES = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
generator ({type}[batch, {channels}, height, width] images) => ({views}) {{
  none = Constant <value_ints = [0]> ()
  one = Constant <value_ints = [1]> ()
  channels = Constant <value_ints = [{channels}]> ()
  row = Constant <value_ints = [-1, {channels}]> ()
  most = Constant <value_ints = [{chunk}]> ()
  almost = Sub (most, one)
  {scaled}
  pixels = Transpose <perm = [0, 2, 3, 1]> (values)
  shape = Shape (pixels)
  rows = Reshape (pixels, row)
  number = Shape <start = 0, end = 1> (rows)
  up = Add (number, almost)
  whole = Div (up, most)
  chunks = Max (whole, one)
  before = Sub (chunks, one)
  above = Add (number, before)
  length = Div (above, chunks)
  filled = Mul (chunks, length)
  missing = Sub (filled, number)
  pads = Concat <axis = 0> (none, none, missing, none)
  padded = Pad (rows, pads)
  cut = Concat <axis = 0> (chunks, length, channels)
  scanned = Reshape <allowzero = 1> (padded, cut)
  made = Scan <num_scan_inputs = 1> (scanned)
  joined = Concat <axis = 0> (filled, channels)
  flat = Reshape <allowzero = 1> (made, joined)
  found = Slice (flat, none, number, none)
  channels_last = Reshape <allowzero = 1> (found, shape)
  all = Transpose <perm = [0, 3, 1, 2]> (channels_last)
  {split}
}}
"""


def over_images(
    pixels: "ModelProto", groups: Groups, names: Sequence[str], eight_bits: bool
) -> "ModelProto":
    """Return the model of images, `b c h w`, with one output a view.

    Arguments:
        pixels: a model of one input and one output, `n c` both.
        groups: the channels of each view.
        names: of the views.
        eight_bits: take uint8 images and scale them to [0, 1] inside.
    """
    from onnx import compose, helper, parser

    channels = sum(map(len, groups))
    scaling = "levels = Cast <to = 1> (images) top = Constant <value = float {255}> ()"
    scaling += " values = Div (levels, top)"
    text = _IMAGES.format(
        ir=pixels.ir_version,
        opset=pixels.opset_import[0].version,
        type="uint8" if eight_bits else "float",
        channels=channels,
        chunk=CHUNK,
        scaled=scaling if eight_bits else "values = Identity (images)",
        views=", ".join(
            f"float[batch, {len(group)}, height, width] {name}"
            for name, group in zip(names, groups, strict=True)
        ),
        split="\n  ".join(
            f"of_{name} = Constant <value_ints = {list(group)}> ()\n"
            f"  {name} = Gather <axis = 1> (all, of_{name})"
            for name, group in zip(names, groups, strict=True)
        ),
    )
    model = parser.parse_model(text)
    (scan,) = (node for node in model.graph.node if node.op_type == "Scan")
    body = compose.add_prefix_graph(pixels.graph, "pixel_")
    scan.attribute.append(helper.make_attribute("body", body))
    return model
