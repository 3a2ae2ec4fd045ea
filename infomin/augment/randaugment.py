r"""RandAugment in batches, with the operations, magnitudes and probabilities of InfoMin's code.

Cubuk et al., arXiv:1909.13719, as in the code of InfoMin (PyContrast, `datasets/RandAugment.py`):
every sample draws n operations, with replacement; each then happens with probability p, at a
magnitude drawn from N(m, std) and cut off to [0, 10], rotations, shears and translations with a
drawn sign. The code draws bilinear or bicubic interpolation; here it is bilinear.

Samples are grouped by what they drew, so that a round costs each operation once and all motions
together one grid sample. As with crops, parameters are drawn for the whole batch and then applied.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from infomin.augment.affine import MOTIONS, Matrices, matrices, warp
from infomin.augment.color_jitter import floats
from infomin.augment.operations import NEEDS_COLOR, Operation, pixel_operations
from infomin.core.batching import change
from infomin.core.errors import InputError, at_least, one_of, probability, whole_number
from infomin.core.shapes import Image, Images

HIGHEST = 10.0
"""The largest magnitude."""

OPERATIONS: dict[str, tuple[str, ...]] = {
    "infomin": (
        *("autocontrast", "equalize", "invert", "posterize", "solarize", "solarize_add"),
        *("color", "contrast", "brightness", "sharpness", *MOTIONS),
    ),
    "cmc": ("autocontrast", "identity", "sharpness", *MOTIONS),
}
"""Lists by name: InfoMin's 15, and those of CMC, which leave hue and saturation alone."""


@dataclass(frozen=True)
class RandAugmentParams:
    """What happens to each sample of a batch, round by round.

    Attributes:
        operation: which of the list, by index.
        happens: whether it does.
        level: magnitude, within [0, 10].
        negative: whether it goes the other way, where there are two.
    """

    operation: Int64[Tensor, "n rounds"]
    happens: Bool[Tensor, "n rounds"]
    level: Float[Tensor, "n rounds"]
    negative: Bool[Tensor, "n rounds"]

    def part(self, which: slice) -> "RandAugmentParams":
        """Return the plan of a part of the batch."""
        return RandAugmentParams(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    @property
    def drawn(self) -> Int64[Tensor, "n rounds"]:
        """Which of the list, -1 for nothing."""
        return self.operation.where(self.happens, -1)

    @property
    def share(self) -> Float[Tensor, "n rounds"]:
        """Share of the largest amount."""
        return self.level / HIGHEST

    @property
    def signed(self) -> Float[Tensor, "n rounds"]:
        """The same, below 0 where it goes the other way."""
        return torch.where(self.negative, -self.share, self.share)


class RandAugment:
    """n operations of a list, each sample by its own draw.

    Arguments:
        operations: `infomin`, `cmc`, or names of operations; one named twice is drawn twice as
            often.
        n: operations a sample.
        m: mean magnitude, within [0, 10].
        std: deviation of the magnitude.
        p: probability that a drawn operation happens.
        fill: colour of places outside the image, within [0, 1]: one number, or one a channel.

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
            one_of("randaugment.operations", name, (*MOTIONS, *pixel_operations()))
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

    def fits(self, channels: int) -> None:
        """Make sure that images of so many channels can be changed.

        Raises:
            InputError: for other than 3 channels, where an operation needs colour, or another
                number of channels than the fill has.
        """
        asked = [name for name in dict.fromkeys(self.operations) if name in NEEDS_COLOR]
        if channels != 3 and asked:
            raise InputError(
                f"randaugment: {', '.join(asked)} needs 3 channels, R G B, got {channels}; set "
                "randaugment=cmc randaugment.fill=0.5, or leave it out of randaugment.operations"
            )
        if len(self.fill) not in (1, channels):
            raise InputError(
                f"randaugment.fill: expected one number, or {channels}, one a channel, got "
                f"{list(self.fill)}; set randaugment.fill=0.5"
            )

    def sample(self, n: int, generator: torch.Generator) -> RandAugmentParams:
        """Draw what happens to n samples."""
        u = torch.rand(3, n, self.n, generator=generator)
        normal = torch.randn(n, self.n, generator=generator)
        return RandAugmentParams(
            operation=(u[0] * len(self.operations)).long(),
            happens=u[1] < self.p,
            level=(self.m + self.std * normal).clamp(0, HIGHEST),
            negative=u[2] < 0.5,
        )

    def apply(self, images: Images, plan: RandAugmentParams) -> Images:
        """Change images within [0, 1], which they stay in; see `operations` for what that means.

        Raises:
            InputError: see `fits`; or for images that are no floats within [0, 1].
        """
        self.fits(images.shape[1])
        floats("randaugment", images)
        x = images.clone()
        self.change(x, plan)
        return x

    def change(self, x: Images, plan: RandAugmentParams) -> None:
        """Change images in place that are known to be floats within [0, 1]; see `apply`."""
        motion, to_source = self._motions(plan, *x.shape[2:])
        changes = {k: v for k, v in pixel_operations().items() if k != "identity"}
        drawn = self._named(plan.drawn, [*changes]).where(motion < 0, len(changes))
        amount = torch.cat([rearrange(plan.share, "n r -> n r 1"), to_source.flatten(2)], 2)
        each = [partial(_by_share, operation) for operation in changes.values()]
        change(x, drawn, [*each, partial(_by_matrix, self.fill)], amount)

    @property
    def of_pixels(self) -> list[str]:
        """The operations that change pixels where they are."""
        still = (*MOTIONS, "identity")
        return [name for name in dict.fromkeys(self.operations) if name not in still]

    def apply_to_view(self, view: Image, plan: RandAugmentParams) -> Image:
        """Rotate, shear and translate a view, of any number of channels, each about [-1, 1].

        Nothing else of the list happens: what it is in a learned view nobody knows. Places outside
        the view are 0, the middle.
        """
        x = view.clone()
        motion, to_source = self._motions(plan, *x.shape[2:])
        change(x, motion.clamp(max=0), [lambda part, matrix: warp(part, matrix, (0.0,))], to_source)
        return x

    def __call__(self, images: Images, generator: torch.Generator) -> Images:
        """Draw and apply."""
        return self.apply(images, self.sample(len(images), generator))

    def _motions(
        self, plan: RandAugmentParams, height: int, width: int
    ) -> tuple[Int64[Tensor, "n rounds"], Matrices]:
        """Return which of MOTIONS were drawn, -1 for another operation, and their matrices."""
        motion = self._named(plan.drawn, MOTIONS)
        return motion, matrices(motion, plan.signed, height, width)

    def _named(
        self, drawn: Int64[Tensor, "n rounds"], names: Sequence[str]
    ) -> Int64[Tensor, "n rounds"]:
        """Return which of the names the drawn operations have, -1 for another or none."""
        found = [names.index(name) if name in names else -1 for name in (*self.operations, "")]
        return torch.tensor(found)[drawn]


def _by_share(operation: Operation, part: Tensor, amount: Tensor) -> Tensor:
    return operation(part, amount[:, 0])


def _by_matrix(fill: Sequence[float], part: Tensor, amount: Tensor) -> Tensor:
    return warp(part, rearrange(amount[:, 1:], "n (j k) -> n j k", j=2), fill)
