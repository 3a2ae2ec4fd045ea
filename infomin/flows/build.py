"""The flow of a view generator, built from a few numbers."""

import inspect
from collections.abc import Sequence

from infomin.core.channel_groups import check_channels
from infomin.core.errors import InputError, at_least, one_of, positive, true_or_false
from infomin.flows.base import Composition, Flow
from infomin.flows.coupling import Coupling
from infomin.flows.linear import InvertibleMixing, OrthogonalMixing, Rotation

KINDS = ("additive", "affine")
MIXINGS = ("rotation", "orthogonal", "invertible", "none")
MOST_LOG_SCALE = 80.0
"""exp(80) and exp(-80) are still float32 numbers."""


def build_flow(
    channels: int,
    kind: str = "affine",
    blocks: int = 2,
    hidden: int = 16,
    layers: int = 2,
    mixing: str = "orthogonal",
    mix_output: bool = False,
    log_scale_bound: float = 1.0,
) -> Composition:
    """Build the flow of a view generator; a generator's card records these arguments.

    A block is one mixing and two couplings: first channel -> the others, the others -> first
    channel. The papers do not state number, width and depth; these defaults are ours, small and not
    tuned.

    Arguments:
        channels: C, 2 to 1024.
        kind: `additive` (VP) or `affine` (NVP).
        blocks: number of blocks; 0 gives the identity.
        hidden: width of the coupling networks.
        layers: number of their hidden layers.
        mixing: before each block: `rotation`, `orthogonal`, `invertible` or `none`.
        mix_output: add one mixing at the end.
        log_scale_bound: largest log-scale of an affine coupling, in nats, at most `MOST_LOG_SCALE`.

    Raises:
        InputError: for an argument outside these ranges.
    """
    one_of("flow.kind", kind, KINDS)
    one_of("flow.mixing", mixing, MIXINGS)
    check_channels(channels)
    for name, value, least in (("blocks", blocks, 0), ("hidden", hidden, 1), ("layers", layers, 1)):
        at_least(f"flow.{name}", value, least)
    positive("flow.log_scale_bound", log_scale_bound)
    if log_scale_bound > MOST_LOG_SCALE:
        raise InputError(
            f"flow.log_scale_bound: expected at most {MOST_LOG_SCALE}, got {log_scale_bound}"
        )
    true_or_false("flow.mix_output", mix_output)

    def mix() -> list[Flow]:
        if mixing == "orthogonal":
            return [OrthogonalMixing(channels)]
        if mixing == "invertible":
            return [InvertibleMixing(channels)]
        return [Rotation()] if mixing == "rotation" else []

    def couple(passed: Sequence[int]) -> Coupling:
        return Coupling(channels, passed, kind, hidden, layers, log_scale_bound)

    flows: list[Flow] = []
    for _ in range(blocks):
        flows += [*mix(), couple([0]), couple(range(1, channels))]
    if mixing == "rotation":  # undo the rotations, so that a fresh flow is the identity
        flows.append(Rotation(-blocks))
    elif mix_output:
        flows += mix()
    return Composition(flows)


FLOW_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(build_flow).parameters.items()
    if parameter.default is not parameter.empty
}
"""Options of a flow where none are given; the card of a generator records all of them."""
