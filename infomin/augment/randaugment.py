r"""Batched RandAugment with the operations, magnitudes and probabilities of InfoMin's code.

Cubuk et al., arXiv:1909.13719, as in InfoMin's code (PyContrast, `datasets/RandAugment.py`). Each
sample draws n operations with replacement. Each operation is applied with probability p, at a
magnitude from N(m, std), clipped to [0, 10]. Geometric transforms get a random sign. The code
interpolates bilinearly or bicubically at random; ours is bilinear.

Samples are grouped by operation, so a round costs each pixel operation once, and one grid sample
for all geometric transforms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from infomin.augment.color_jitter import Operation, check_unit_range
from infomin.augment.operations import (
    GEOMETRIC,
    Matrices,
    affine_matrices,
    pixel_operations,
    warp,
)
from infomin.core.batching import Params, apply_by_group
from infomin.core.errors import InputError, at_least, one_of, probability, whole_number
from infomin.core.shapes import Image, Images

HIGHEST = 10.0
"""The largest magnitude."""

OPERATIONS: dict[str, tuple[str, ...]] = {
    "infomin": (
        *("autocontrast", "equalize", "invert", "posterize", "solarize", "solarize_add"),
        *("color", "contrast", "brightness", "sharpness", *GEOMETRIC),
    ),
    "cmc": ("autocontrast", "identity", "sharpness", *GEOMETRIC),
}
"""Lists by name: InfoMin's 15 operations, and those of CMC, which keep hue and saturation."""

Rounds = Int64[Tensor, "n rounds"]


@dataclass(frozen=True)
class RandAugmentParams(Params):
    """Sampled operations, one per sample and round.

    Attributes:
        operation: index in the list of operations.
        happens: whether the operation is applied.
        level: magnitude, within [0, 10].
        negative: whether a geometric transform goes the opposite way.
    """

    operation: Rounds
    happens: Bool[Tensor, "n rounds"]
    level: Float[Tensor, "n rounds"]
    negative: Bool[Tensor, "n rounds"]


class RandAugment:
    """n random operations for each sample.

    Arguments:
        operations: `infomin`, `cmc`, or names of operations; a repeated name is drawn more often.
        n: operations per sample.
        m: mean magnitude, within [0, 10].
        std: standard deviation of the magnitude.
        p: probability that a drawn operation is applied.
        fill: colour outside the image, within [0, 1]: one number, or one per channel.

    Raises:
        InputError: for an unknown operation, or values outside these ranges.
    """

    def __init__(
        self,
        operations: str | Sequence[str] = "infomin",
        n: int = 2,
        m: float = 10.0,
        std: float = 0.5,
        p: float = 0.5,
        fill: float | Sequence[float] = 0.5,
    ) -> None:
        if isinstance(operations, str):
            one_of("randaugment.operations", operations, OPERATIONS)
            operations = OPERATIONS[operations]
        for name in operations:
            one_of("randaugment.operations", name, (*GEOMETRIC, *pixel_operations()))
        if not operations:
            raise InputError("randaugment.operations: expected at least one, got none")
        whole_number("randaugment.n", n, 1)
        at_least("randaugment.m", m, 0)
        if not m <= HIGHEST:
            raise InputError(f"randaugment.m: expected a magnitude within [0, 10], got {m}")
        at_least("randaugment.std", std, 0)
        probability("randaugment.p", p)
        self.fill = (fill,) if isinstance(fill, int | float) else tuple(fill)
        if not self.fill or not all(0 <= value <= 1 for value in self.fill):
            raise InputError(f"randaugment.fill: expected numbers within [0, 1], got {fill}")
        self.operations, self.n, self.m, self.std, self.p = tuple(operations), n, m, std, p

    @property
    def pixel_operations(self) -> list[str]:
        """The operations that change pixel values."""
        others = (*GEOMETRIC, "identity")
        return [name for name in dict.fromkeys(self.operations) if name not in others]

    def check_channels(self, channels: int) -> None:
        """Check that images of C channels can be changed.

        Raises:
            InputError: for a list with `color` unless C is 3, or a fill of other than C channels.
        """
        if channels != 3 and "color" in self.operations:
            raise InputError(
                f"randaugment: color needs 3 channels, R G B, got {channels}; set "
                "randaugment=cmc randaugment.fill=0.5, or leave it out of randaugment.operations"
            )
        if len(self.fill) not in (1, channels):
            raise InputError(
                f"randaugment.fill: expected one number, or {channels}, one per channel, got "
                f"{list(self.fill)}; set randaugment.fill=0.5"
            )

    def sample(self, n: int, generator: torch.Generator) -> RandAugmentParams:
        """Sample the operations of n samples."""
        u = torch.rand(3, n, self.n, generator=generator)
        normal = torch.randn(n, self.n, generator=generator)
        return RandAugmentParams(
            operation=(u[0] * len(self.operations)).long(),
            happens=u[1] < self.p,
            level=(self.m + self.std * normal).clamp(0, HIGHEST),
            negative=u[2] < 0.5,
        )

    def apply(self, images: Images, params: RandAugmentParams) -> Images:
        """Return changed images; float, in [0, 1] as the input must be."""
        self.check_channels(images.shape[1])
        check_unit_range("randaugment", images)
        x = images.clone()
        self.apply_(x, params)
        return x

    def apply_(self, x: Images, params: RandAugmentParams) -> None:
        """Change float images in [0, 1] in place, without checks."""
        transform, matrices = self._geometric(params, *x.shape[2:])
        on_pixels = {k: v for k, v in pixel_operations().items() if k != "identity"}
        choice = self._index_in([*on_pixels], params).where(transform < 0, len(on_pixels))
        fraction = rearrange(params.level / HIGHEST, "n r -> n r 1")
        amount = torch.cat([fraction, matrices.flatten(2)], 2)
        operations = [partial(_apply_to_pixels, operation) for operation in on_pixels.values()]
        apply_by_group(x, choice, [*operations, partial(_warp, self.fill)], amount)

    def apply_to_view(self, view: Image, params: RandAugmentParams) -> Image:
        """Apply the geometric transforms to a view of any number of channels.

        The other operations have no meaning in a learned view and are left out. Positions outside
        the view are 0, the middle of [-1, 1].
        """
        x = view.clone()
        transform, matrices = self._geometric(params, *x.shape[2:])
        warp_view = [lambda part, matrix: warp(part, matrix, (0.0,))]
        apply_by_group(x, transform.clamp(max=0), warp_view, matrices)
        return x

    def __call__(self, images: Images, generator: torch.Generator) -> Images:
        """Sample and apply."""
        return self.apply(images, self.sample(len(images), generator))

    def _geometric(
        self, params: RandAugmentParams, height: int, width: int
    ) -> tuple[Rounds, Matrices]:
        """Return indices in GEOMETRIC, -1 for other operations, and the matrices."""
        transform = self._index_in(GEOMETRIC, params)
        fraction = params.level / HIGHEST
        signed = torch.where(params.negative, -fraction, fraction)
        return transform, affine_matrices(transform, signed, height, width)

    def _index_in(self, names: Sequence[str], params: RandAugmentParams) -> Rounds:
        """Return the indices of the applied operations in these names, -1 for others or none."""
        index = [names.index(name) if name in names else -1 for name in (*self.operations, "")]
        return torch.tensor(index)[params.operation.where(params.happens, -1)]


def _apply_to_pixels(operation: Operation, part: Tensor, amount: Tensor) -> Tensor:
    return operation(part, amount[:, 0])


def _warp(fill: Sequence[float], part: Tensor, amount: Tensor) -> Tensor:
    return warp(part, rearrange(amount[:, 1:], "n (j k) -> n j k", j=2), fill)
