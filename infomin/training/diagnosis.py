"""Signs that a game has collapsed, as warnings in plain words."""

import torch
from jaxtyping import Float
from torch import Tensor

from infomin.generator import ViewGenerator
from infomin.information import Estimate

CONSTANT = 1e-3
"""Deviation of a constant channel, at most, as a share of that of the raw channels."""
CLASSIFIER_MARGIN = 1.3
"""Accuracy of a classifier that has learned nothing, at most, over the chance level."""
EMPTY, FULL = 0.02, 0.98
"""Shares of the cap log K below and above which I_NCE says nothing."""


@torch.no_grad()
def diagnose(
    generator: ViewGenerator,
    images: Float[Tensor, "b c h w"],
    i_nce: Estimate | None,
    class_accuracy: list[float],
    classes: int,
) -> list[str]:
    """Return warnings, one line each; an empty list is good news.

    Arguments:
        generator: the learned g.
        images: some of the training images, in g's value range.
        i_nce: held out; None where it was no part of the game.
        class_accuracy: held-out accuracy of c1, ..., cM; empty without labels.
        classes: number of classes.
    """
    warnings = []
    y = generator.transform(images)
    scale = generator.start(images.movedim(1, -1).flatten(0, -2)).std(0).mean()
    for i, std in enumerate(y.std((0, 2, 3)).tolist()):
        if std < CONSTANT * scale:
            warnings.append(f"output channel {i + 1} is constant (deviation {std:.1e})")
    for i, accuracy in enumerate(class_accuracy):
        if accuracy < CLASSIFIER_MARGIN / classes:
            warnings.append(
                f"classifier {i + 1} is at chance ({accuracy:.1%}, chance {1 / classes:.1%}); "
                f"view {i + 1} does not tell the label, so raise its class_weights or the steps"
            )
    if i_nce is None:
        return warnings
    if i_nce.value > FULL * i_nce.cap:
        warnings.append(
            f"I_NCE {i_nce.value:.2f} is at its cap {i_nce.cap:.2f}: the views still share all "
            "that K can show; play more steps, raise lr_g or the batch"
        )
    if i_nce.value < EMPTY * i_nce.cap:
        warnings.append(
            f"I_NCE {i_nce.value:.2f} on held-out images is below {EMPTY:.0%} of its cap: the "
            "estimators find next to nothing that the views share; raise steps, estimator_steps or "
            "lr_f, or lower lr_g"
        )
    return warnings
