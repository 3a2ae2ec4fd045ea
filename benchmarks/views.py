"""Views: a frozen generator on 4 megapixels of photographs, far larger than the caches.

The generator has 4 blocks and hidden layers of 32 (about 18 kFLOP per pixel); the photographs are
the eight of data=photos, side by side. Ours are the exact table of all 2^24 colours on uint8, the
33-point cube on float, the flow itself, and its ONNX export in ONNX Runtime. The rivals are
kornia's conversion to Lab and to YCbCr, the flow as 1x1 convolutions on images, Pillow's lookup
table, and a copy, which is the lower limit. Memory is the increase of the peak in a call.

The last row is the cost of learned views in pretraining (budget=small): the time of the look-ups
relative to the time of a step.

Targets: table at least 5 x kornia's rgb_to_lab, cube 1.2 x; flow at least 10 x the 1x1
convolutions; ONNX Runtime no slower than torch; learned views at most 5 % of a step.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import kornia
import onnxruntime
import small
import torch
from convolutions import Convolutions
from einops import rearrange
from memory import afresh, peak
from PIL import Image
from rivals import BATCH
from rows import Row, main
from timing import interleaved, rate
from torch import Tensor, nn

from infomin.augment import resize
from infomin.data.photos import photos
from infomin.export.cube import ColorCube
from infomin.export.formats import FORMATS
from infomin.export.formats.onnx import FILE
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator
from infomin.views import LearnedViews
from infomin.views.color_table import ColorTable

SIDE = 128  # of the patches in the picture


def picture(quick: bool) -> Tensor:
    """Return patches of the photographs as one uint8 image `1 3 h w`."""
    across = 4 if quick else 16
    patches = photos(size=SIDE, patch=SIDE, train=across**2, test=8).train.images
    return rearrange(patches, "(a b) c h w -> 1 c (a h) (b w)", a=across).contiguous()


def random_generator() -> ViewGenerator:
    """Return a generator that is not the identity."""
    torch.manual_seed(0)
    g = ViewGenerator(flow={"blocks": 4, "hidden": 32})
    for p in g.parameters():
        nn.init.normal_(p, std=0.1)
    return g.eval().requires_grad_(False)


def measure(quick: bool) -> list[Row]:
    """Measure all contenders on the same pixels."""
    levels, g = picture(quick), random_generator()
    x, pixels = levels / 255, levels[0, 0].numel() * 1e-6
    table, cube = ColorTable(g), ColorCube.of(g, 33)
    convolutions = Convolutions(blocks=4, hidden=32).eval().requires_grad_(False)
    pil = Image.fromarray(rearrange(levels, "1 c h w -> h w c").numpy())
    with tempfile.TemporaryDirectory() as folder:
        FORMATS["onnx"].write(g, Path(folder), Sample.of(g, x[..., :256, :256], "photos"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.force_spinning_stop", "1")  # others' turn
        session = onnxruntime.InferenceSession(f"{folder}/{FILE}", options)
    feed = {"images": x.numpy()}
    exact = all(torch.equal(a, b) for a, b in zip(table(levels), g(x), strict=True))
    assert exact, "the table is not the flow"

    calls: dict[str, Callable[[], object]] = {
        "table": partial(table, levels),
        "cube": partial(cube, x),
        "flow": partial(g, x),
        "ONNX Runtime": partial(session.run, None, feed),
        "kornia rgb_to_lab": partial(kornia.color.rgb_to_lab, x),
        "kornia rgb_to_ycbcr": partial(kornia.color.rgb_to_ycbcr, x),
        "1x1 convolutions": partial(convolutions, x),
        "Pillow": partial(pil.filter, cube.pillow()),
        "copy": x.clone,
    }
    with torch.no_grad():
        contenders = {name: afresh(rate(call, pixels)) for name, call in calls.items()}
        m = interleaved(contenders, 1 if quick else 15)
        memory = {name: peak(calls[name]) / (pixels * 1e6) for name in ("table", "cube", "flow")}
        share = in_pretraining(1 if quick else 15)
    lab, ycbcr = "kornia rgb_to_lab", "kornia rgb_to_ycbcr"
    unit = "Mpixels/s"
    return [
        Row("views by the exact table, uint8", unit, m["table"], lab, m[lab], least=5),
        Row("views by the exact table, uint8", unit, m["table"], ycbcr, m[ycbcr]),
        Row("views by the exact table, uint8", unit, m["table"], "copy", m["copy"]),
        Row("views by the 33-point cube, float", unit, m["cube"], lab, m[lab], least=1.2),
        Row("views by the 33-point cube, float", unit, m["cube"], "Pillow, uint8", m["Pillow"]),
        Row(
            "views by the flow",
            unit,
            m["flow"],
            "1x1 convolutions",
            m["1x1 convolutions"],
            least=10,
        ),
        Row("views by ONNX Runtime", unit, m["ONNX Runtime"], "the flow", m["flow"], least=1),
        *(
            Row(f"peak memory of views, {name}", "bytes/pixel", [value])
            for name, value in memory.items()
        ),
        Row("learned views in pretraining", "of 1", share, most=0.05),
    ]


def in_pretraining(rounds: int) -> list[float]:
    """Return the time of look-ups relative to a pretraining step, one number per round.

    Each look-up follows a step, which fills the caches: look-ups alone would be faster.
    """
    images = photos(train=1536).train.images
    g = small.generator().eval().requires_grad_(False)
    learner = small.pretraining(LearnedViews(g, table=ColorTable(g)), images)
    crops = [resize(images[i * BATCH : (i + 1) * BATCH], 32) for i in (0, 1)]
    steps, shares = iter(learner), []
    for _ in range(rounds):
        spent = [0.0, 0.0]
        for _ in range(16):
            times = [time.perf_counter()]
            with torch.enable_grad():
                next(steps)
            times.append(time.perf_counter())
            learner.loader.views(*crops)
            times.append(time.perf_counter())
            spent = [s + b - a for s, (a, b) in zip(spent, pairwise(times), strict=True)]
        shares.append(spent[1] / spent[0])
    return shares


if __name__ == "__main__":
    print(f"{torch.get_num_threads()} threads", file=sys.stderr)
    main(measure)
