r"""Instance discrimination (InstDis: Wu et al., arXiv:1805.01978).

    P(i | v) = exp(v_i . f / tau) / Z       f embeds one view, v_i is the row of image i in a bank

(equation 2), with the softmax over the own row and K sampled rows, or NCE (equation 8).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infomin.core.errors import InputError
from infomin.methods.base import METHODS, Context
from infomin.methods.cmc import CMC
from infomin.methods.contrastive import SOFTMAX
from infomin.models import Encoders


@METHODS.register("instdis")
class InstDis(CMC):
    """Compares one view of an image with the row of the image, against rows of other images.

    Arguments: see `CMC`; one encoder for all views, and the graph `own`.

    Raises:
        InputError: as `CMC`; without a bank, or where an image would be its own positive.
    """

    memories = ("bank",)

    def __init__(
        self,
        encoders: Encoders,
        context: Context,
        loss: Mapping[str, Any] = SOFTMAX,
        memory: Mapping[str, Any] | None = None,
        graph: str = "own",
        pair_weights: Sequence[float] | None = None,
    ) -> None:
        if graph != "own":
            raise InputError(f"graph: expected own with method=instdis, got {graph}")
        super().__init__(encoders, context, loss, memory, graph, pair_weights)

    def build_negatives(self, positive: str = "bank", **options: Any) -> int:
        """Build the bank."""
        if positive != "bank":
            raise InputError(
                "memory.positive: expected bank with graph=own, where an image of the batch would "
                f"be its own positive, got {positive}; set memory.positive=bank"
            )
        return super().build_negatives(**options)
