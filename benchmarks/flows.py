"""Flows: our pixel-wise flow against zuko's and nflows' couplings on the same pixel rows.

128 images of 16 x 16 pixels and 3 channels, as in the game: 32,768 rows. Four affine couplings,
channel 1 -> 2, 3 and back, twice; networks with two hidden layers of 32; no mixing. The benchmark
checks that all flows have the same number of parameters. Forward runs without gradients, as in
application; forward + backward computes the gradients of the parameters, as in the game.

All of them keep freed memory, as in training (`infomin.core.allocator`). For the log-determinant
each library computes both results in one pass; nflows always does. Our couplings as 1x1
convolutions on images are a reference.

Targets: forward + backward at least 1.4 x zuko, forward no slower.
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
import zuko
from convolutions import PASSED, Convolutions
from nflows.nn.nets import MLP
from nflows.transforms import AffineCouplingTransform, CompositeTransform
from rows import Row, main
from timing import Measure, interleaved, rate
from torch import Tensor, nn

from infomin.core.allocator import keep_freed_memory
from infomin.flows import build_flow

IMAGES, SIDE, HIDDEN = 128, 16, 32
ROWS = IMAGES * SIDE * SIDE
BLOCKS = 2

Output = tuple[Tensor, ...]
Call = Callable[[Tensor], Output]


class Network(MLP):
    """nflows' network with the signature that its couplings call."""

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        """Ignore the context."""
        out: Tensor = super().forward(x)
        return out


def contenders() -> dict[str, tuple[nn.Module, Call, Call]]:
    """Build all flows, each with a function to y and a function to y and the log-determinant."""
    ours = build_flow(3, "affine", blocks=BLOCKS, hidden=HIDDEN, layers=2, mixing="none")
    masks = [torch.tensor([i in passed for i in range(3)]) for passed in PASSED * BLOCKS]
    coupling = partial(zuko.flows.GeneralCouplingTransform, 3, hidden_features=(HIDDEN, HIDDEN))
    theirs = zuko.lazy.LazyComposedTransform(*(coupling(mask=mask) for mask in masks))
    transform = theirs()  # shares the networks of `theirs`
    nflow = CompositeTransform(
        AffineCouplingTransform((~mask).int(), lambda i, o: Network([i], [o], [HIDDEN, HIDDEN]))
        for mask in masks
    )
    convolutions = Convolutions(BLOCKS, HIDDEN)
    return {
        "ours": (ours, lambda x: (ours(x),), ours.forward_and_log_abs_det),
        "zuko": (theirs, lambda x: (transform(x),), transform.call_and_ladj),
        "nflows": (nflow, lambda x: nflow(x)[:1], nflow),
        "1x1 convolutions": (convolutions, lambda x: (convolutions(x),), convolutions),
    }


def forward(call: Call, x: Tensor) -> Measure:
    """Return a contender: million rows per second without gradients."""
    return rate(torch.no_grad()(partial(call, x)), ROWS * 1e-6)


def forward_backward(module: nn.Module, call: Call, x: Tensor) -> Measure:
    """Return a contender: million rows per second with gradients of the parameters."""
    at_outputs = [torch.randn_like(y) for y in call(x)]

    def work() -> None:
        module.zero_grad()
        torch.autograd.backward(call(x), at_outputs)

    return rate(work, ROWS * 1e-6)


def measure(quick: bool) -> list[Row]:
    """Measure all flows on the same rows."""
    keep_freed_memory()
    torch.manual_seed(0)
    x, images = torch.randn(ROWS, 3), torch.randn(IMAGES, 3, SIDE, SIDE)
    flows = contenders()
    parameters = {
        name: sum(p.numel() for p in flow[0].parameters()) for name, flow in flows.items()
    }
    print(f"parameters: {parameters}", file=sys.stderr)
    assert len(set(parameters.values())) == 1, "not the same flows"

    measures: dict[str, Measure] = {}
    for name, (module, y, y_and_log_det) in flows.items():
        for parameter in module.parameters():  # ours starts as the identity
            nn.init.normal_(parameter, std=0.1)
        data = images if name == "1x1 convolutions" else x
        measures[f"{name} forward"] = forward(y, data)
        measures[f"{name} forward + backward"] = forward_backward(module, y, data)
        if name != "1x1 convolutions":
            measures[f"{name} forward, log-det"] = forward(y_and_log_det, data)
            both = forward_backward(module, y_and_log_det, data)
            measures[f"{name} forward + backward, log-det"] = both
    m = interleaved(measures, 1 if quick else 15)

    rows = []
    for direction, least in (("forward", 1.0), ("forward + backward", 1.4)):
        for rival in ("zuko", "nflows", "1x1 convolutions"):
            target = least if rival == "zuko" else None
            ours, theirs = m[f"ours {direction}"], m[f"{rival} {direction}"]
            rows.append(Row(f"flow, {direction}", "M rows/s", ours, rival, theirs, target))
    for direction in ("forward, log-det", "forward + backward, log-det"):
        for rival in ("zuko", "nflows"):
            ours, theirs = m[f"ours {direction}"], m[f"{rival} {direction}"]
            rows.append(Row(f"flow, {direction}", "M rows/s", ours, rival, theirs))
    return rows


if __name__ == "__main__":
    main(measure)
