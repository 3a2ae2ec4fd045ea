"""Learning-rate factors as functions of the step, so that a resumed run needs no state."""

import math
from collections.abc import Sequence

from torch.optim import Optimizer

from infomin.core.errors import InputError, one_of

SCHEDULES = ("constant", "cosine", "steps")


def factor(
    kind: str,
    step: float,
    steps: float,
    warmup: float = 0.0,
    final: float = 0.0,
    milestones: Sequence[float] = (0.6, 0.8),
    gamma: float = 0.2,
) -> float:
    """Return the share of the peak learning rate at a step.

    Arguments:
        kind: `constant`; `cosine` down to `final`; or `steps`, times `gamma` at each milestone.
        step, steps: of how many.
        warmup: share of the steps in which the rate rises linearly.
        final: share of the peak at the end of a cosine.
        milestones: of `steps`, as shares of all steps.
        gamma: of `steps`.

    Raises:
        InputError: for an unknown kind.
    """
    if kind not in SCHEDULES:
        one_of("schedule", kind, SCHEDULES)
    rise = warmup * steps
    if step < rise:
        return (step + 1) / (rise + 1)
    if kind == "cosine":
        progress = (step - rise) / max(steps - rise, 1)
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))
    if kind == "steps":
        return gamma ** sum(step >= milestone * steps for milestone in milestones)
    return 1.0


def set_rate(optimizer: Optimizer, share: float) -> None:
    """Set every group to a share of its peak rate, the `lr` it was made with."""
    for group in optimizer.param_groups:
        group["lr"] = share * group.setdefault("peak_lr", group["lr"])


def steps_to_keep(steps: int, keep: int) -> list[int]:
    """Return `keep` evenly spaced steps of a training, including the last one.

    Raises:
        InputError: if `keep` is not within 0..steps.
    """
    if not 0 <= keep <= steps:
        raise InputError(f"keep: expected 0..{steps}, the number of steps, got {keep}")
    return [round(steps * (i + 1) / keep) for i in range(keep)]
