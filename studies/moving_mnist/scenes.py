"""Colorful-Moving-MNIST: a digit moves over a natural image (InfoMin, section 4.1).

A frame has three independent factors: the digit, its position and the background. View v1 is a
sequence of frames. View v2 is one image that shares chosen factors with a later frame, so the
shared information is known exactly. A batch is rendered at once, from its generator alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from infomin.core.batching import take
from infomin.core.errors import InputError, at_least, one_of, positive, whole_number
from infomin.data import ImageSet

FACTORS = ("digit", "position", "background")


@dataclass(frozen=True)
class Sharing:
    """The factors that v2 shares with frame x_t, and how closely it shares them.

    The paper does not define "the same digit".

    Attributes:
        factors: at least one of `FACTORS`.
        digit: `instance` shares the pixels of a digit, `class` another instance of its class.
        background: `image` shares the crop of an image, `class` another image of its class.
    """

    factors: Sequence[str]
    digit: str = "instance"
    background: str = "image"

    def __post_init__(self) -> None:
        names = self.factors if isinstance(self.factors, list | tuple) else [self.factors]
        if not names or not {*map(str, names)} <= {*FACTORS} or len({*names}) < len(names):
            raise InputError(
                f"shared: expected some of {', '.join(FACTORS)}, each once, such as "
                f"[digit,position], got {self.factors!r}"
            )
        object.__setattr__(self, "factors", tuple(name for name in FACTORS if name in names))
        one_of("sharing.digit", self.digit, ("instance", "class"))
        one_of("sharing.background", self.background, ("image", "class"))


@dataclass(frozen=True)
class Motion:
    """Motion of a digit: constant speed, reflected at the borders of the canvas.

    Attributes:
        canvas: side of a frame, in pixels; the unit of all lengths is a pixel of the canvas.
        size: side of the rendered frames, in pixels, a divisor of the canvas; None is the canvas.
            Smaller frames are means over squares of background and ink.
        speed: distance from one frame to the next, as a share of the canvas.
        frames: k; v1 is x_1, ..., x_k.
        target: t; v2 shares factors with x_t, whose position v1 can predict.
    """

    canvas: int = 64
    size: int | None = None
    speed: float = 0.1
    frames: int = 10
    target: int = 20

    def __post_init__(self) -> None:
        for name in ("canvas", "frames", "target"):
            whole_number(f"motion.{name}", getattr(self, name), 1)
        whole_number("motion.size", self.frame_size, 1)
        if self.canvas % self.frame_size:
            raise InputError(
                f"motion.size: expected a divisor of the canvas, {self.canvas}, got {self.size}"
            )
        positive("motion.speed", self.speed)

    @property
    def frame_size(self) -> int:
        """Side of the rendered frames, in pixels."""
        return self.canvas if self.size is None else self.size

    @property
    def shrink(self) -> int:
        """Side of the squares that become one pixel."""
        return self.canvas // self.frame_size


@dataclass(frozen=True)
class Scenes:
    """The factors of n sequences of t frames; a single image is a sequence of one frame.

    Attributes:
        digit, background: indices of images.
        crop: top and left of the crop of the background, in pixels of the background.
        position: top and left of the digit in every frame, in pixels of the canvas.
    """

    digit: Int64[Tensor, " n"]
    background: Int64[Tensor, " n"]
    crop: Int64[Tensor, "n 2"]
    position: Float[Tensor, "n t 2"]

    def frames(self, first: int, last: int) -> "Scenes":
        """Return frames x_first, ..., x_last, counted from 1, both included."""
        return replace(self, position=self.position[:, first - 1 : last])


class SameClass:
    """A sampler of another member of the same class."""

    def __init__(self, labels: Int64[Tensor, " n"]) -> None:
        self.order = labels.argsort(stable=True)
        counts = torch.bincount(labels)
        self.count, self.first = counts[labels], (counts.cumsum(0) - counts)[labels]
        self.place = self.order.argsort() - self.first

    def __call__(
        self, index: Int64[Tensor, " m"], generator: torch.Generator
    ) -> Int64[Tensor, " m"]:
        """Sample uniformly one of the others; the only member of a class returns itself."""
        count = self.count[index]
        onward = 1 + (torch.rand(len(index), generator=generator) * (count - 1)).floor().long()
        return self.order[self.first[index] + (self.place[index] + onward) % count]


class MovingMnist:
    """A data set of sequences and single images, sampled and rendered on demand.

    Arguments:
        digits: `n 1 h w`, squares, uint8; unlabelled ones are left out, as of backgrounds.
        backgrounds: `n 3 h w`, uint8, at least as large as the canvas.

    Raises:
        InputError: if the canvas is not larger than a digit, or larger than a background.
    """

    def __init__(self, digits: ImageSet, backgrounds: ImageSet, motion: Motion) -> None:
        self.digits, self.backgrounds = (
            images.labelled().to(images.source.device) for images in (digits, backgrounds)
        )  # in memory, since every batch takes some of them
        self.motion = motion
        self.side, largest = digits.source.shape[-1], min(backgrounds.source.shape[2:])
        self.span = motion.canvas - self.side
        if not self.side < motion.canvas <= largest:
            raise InputError(
                f"motion.canvas: expected more than the {self.side} pixels of a digit and at most "
                f"the {largest} of a background, got {motion.canvas}"
            )
        self._same_digit = SameClass(self.digits.labels)
        self._same_background = SameClass(self.backgrounds.labels)

    def sample(self, n: int, frames: int, generator: torch.Generator) -> Scenes:
        """Sample n sequences, each factor uniformly and independently."""
        at_least("batch", n, 1)
        room = torch.tensor(self.backgrounds.source.shape[2:]) - self.motion.canvas + 1
        crop = (torch.rand(n, 2, generator=generator) * room).floor().long()
        start = self.span * torch.rand(n, 2, generator=generator)
        angle = 2 * torch.pi * torch.rand(n, generator=generator)
        velocity = torch.stack([angle.sin(), angle.cos()], 1)
        velocity = self.motion.speed * self.motion.canvas * velocity
        return Scenes(
            torch.randint(len(self.digits), (n,), generator=generator),
            torch.randint(len(self.backgrounds), (n,), generator=generator),
            crop,
            trajectory(start, velocity, frames, self.span),
        )

    def sample_pairs(
        self, n: int, sharing: Sharing, generator: torch.Generator
    ) -> tuple[Scenes, Scenes]:
        """Sample the scenes of v1, k frames each, and of v2, one frame each.

        All factors of v2 are sampled before the shared ones are replaced by those of x_t. So
        generators of one seed give the same v1 for every sharing.
        """
        k, t = self.motion.frames, self.motion.target
        sequence = self.sample(n, max(k, t), generator)
        image, x_t = self.sample(n, 1, generator), sequence.frames(t, t)
        if "digit" in sharing.factors:
            other = self._same_digit(x_t.digit, generator)
            image = replace(image, digit=x_t.digit if sharing.digit == "instance" else other)
        if "background" in sharing.factors and sharing.background == "image":
            image = replace(image, background=x_t.background, crop=x_t.crop)
        elif "background" in sharing.factors:
            other = self._same_background(x_t.background, generator)
            image = replace(image, background=other)
        if "position" in sharing.factors:
            image = replace(image, position=x_t.position)
        return sequence.frames(1, k), image

    def render(self, scenes: Scenes) -> Float[Tensor, "n t 3 h w"]:
        """Return the frames of scenes, in [0, 1], on the device of the images.

        The ink of a digit is white. Positions between pixels are interpolated linearly.
        """
        background = rearrange(self._background_crops(scenes), "n c h w -> n 1 c h w")
        digit = take(self.digits.images, scenes.digit).squeeze(1) / 255
        rows, columns = (
            _resampling_weights(p, self.side, self.motion).to(background.device, digit.dtype)
            for p in scenes.position.unbind(2)
        )
        frames = rows.shape[1]
        ink = rearrange(rows, "n t y i -> n (t y) i") @ digit
        ink = rearrange(ink, "n (t y) j -> (n t) y j", t=frames)
        ink = torch.bmm(ink, rearrange(columns, "n t x j -> (n t) j x"))
        ink = rearrange(ink, "(n t) y x -> n t 1 y x", t=frames)
        return torch.addcmul(background, ink, 1 - background)

    def factors(self, scenes: Scenes) -> dict[str, Tensor]:
        """Return the factors of single images: two classes, and a position in canvas pixels."""
        return {
            "digit": self.digits.labels[scenes.digit],
            "position": scenes.position[:, 0],
            "background": self.backgrounds.labels[scenes.background],
        }

    def to(self, device: torch.device) -> "MovingMnist":
        """Return the same data with its images on a device; sampling stays on the CPU."""
        digits, backgrounds = (
            replace(s, source=s.source.load(device)) for s in (self.digits, self.backgrounds)
        )
        return MovingMnist(digits, backgrounds, self.motion)

    def _background_crops(self, scenes: Scenes) -> Float[Tensor, "n 3 h w"]:
        side, images = self.motion.canvas, self.backgrounds.images
        # a view of all crops of all images; indexing copies only the chosen crops
        windows = images.unfold(2, side, 1).unfold(3, side, 1)
        top, left = (corner.to(images.device) for corner in scenes.crop.unbind(1))
        crops = windows[scenes.background.to(images.device), :, top, left] / 255
        return F.avg_pool2d(crops, self.motion.shrink) if self.motion.shrink > 1 else crops


def trajectory(
    start: Float[Tensor, "n 2"], velocity: Float[Tensor, "n 2"], frames: int, span: float
) -> Float[Tensor, "n t 2"]:
    """Return positions in frames 1, ..., t of points that bounce at 0 and `span`.

    The reflected path is a straight path over mirror images, folded back: no loop over time.
    """
    time = rearrange(torch.arange(frames), "t -> t 1")
    straight = rearrange(start, "n d -> n 1 d") + time * rearrange(velocity, "n d -> n 1 d")
    return span - (straight.remainder(2 * span) - span).abs()


def _resampling_weights(
    position: Float[Tensor, "n t"], side: int, motion: Motion
) -> Float[Tensor, "n t size side"]:
    """Return the weights that place `side` pixels on a canvas at fractional positions."""
    pixel = rearrange(position, "n t -> n t 1 1") + torch.arange(side)
    grid = rearrange(torch.arange(motion.canvas), "p -> p 1")
    weights = (1 - (grid - pixel).abs()).clamp_(min=0)
    return reduce(weights, "n t (p s) i -> n t p i", "mean", s=motion.shrink)
