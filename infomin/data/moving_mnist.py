"""Colorful-Moving-MNIST: a digit moves over a natural image (InfoMin, section 4.1).

A frame has three factors, drawn independently: the digit, its position, and the background. View
v1 is a sequence of frames; v2 is one image that has chosen factors in common with a later frame,
so that what the two share is known exactly. Batches are made on the fly, whole ones at once, and
are a function of their generator.
"""

from dataclasses import dataclass, replace

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from infomin.core.errors import InputError, at_least, positive
from infomin.data.images import DataSet, ImageSet
from infomin.data.sharing import SameClass, Sharing
from infomin.data.values import take


@dataclass(frozen=True)
class Motion:
    """How a digit moves: at constant speed, reflected at the borders.

    Attributes:
        canvas: side of a frame, in pixels; all lengths are in these.
        size: side of the frames that come out, in pixels, by which the canvas divides: background
            and ink are shrunk by means over squares. None is the canvas.
        speed: share of the canvas that a digit moves from one frame to the next.
        frames: k; v1 is x_1, ..., x_k.
        target: t; v2 shares factors with x_t, whose position v1 can foretell.
    """

    canvas: int = 64
    size: int | None = None
    speed: float = 0.1
    frames: int = 10
    target: int = 20

    def __post_init__(self) -> None:
        numbers = {name: getattr(self, name) for name in ("canvas", "frames", "target")}
        for name, value in (numbers | {"size": self.shown}).items():
            if type(value) is not int or value < 1:
                raise InputError(
                    f"motion.{name}: expected a whole number of at least 1, got {value!r}"
                )
        if self.canvas % self.shown:
            raise InputError(
                f"motion.size: expected a divisor of the canvas, {self.canvas}, got {self.size}"
            )
        positive("motion.speed", self.speed)

    @property
    def shown(self) -> int:
        """Side of the frames that come out, in pixels."""
        return self.canvas if self.size is None else self.size

    @property
    def shrink(self) -> int:
        """Side of the squares that become one pixel."""
        return self.canvas // self.shown


@dataclass(frozen=True)
class Scenes:
    """The factors of n sequences of t frames; a single image is a sequence of one.

    Attributes:
        digit, background: indices of what is shown.
        crop: top and left of the crop of the background, in its pixels.
        position: top and left of the digit in every frame, in pixels of the canvas.
    """

    digit: Int64[Tensor, " n"]
    background: Int64[Tensor, " n"]
    crop: Int64[Tensor, "n 2"]
    position: Float[Tensor, "n t 2"]

    def frames(self, first: int, last: int) -> "Scenes":
        """Return frames x_first, ..., x_last, counted from 1, both included."""
        return replace(self, position=self.position[:, first - 1 : last])


class MovingMnist:
    """Draws and renders sequences, pairs of views, and single images.

    Arguments:
        digits: `n 1 h w`, squares, uint8; unlabelled ones are left out.
        backgrounds: `n 3 h w`, uint8, no smaller than the canvas; unlabelled ones are left out.
        motion: canvas, speed and frames.

    Raises:
        InputError: for a canvas that the digits fill, or one larger than the backgrounds.
    """

    def __init__(self, digits: ImageSet, backgrounds: ImageSet, motion: Motion) -> None:
        self.digits, self.backgrounds = digits.labelled(), backgrounds.labelled()
        self.motion = motion
        self.side = digits.images.shape[-1]
        self.span = motion.canvas - self.side
        if self.span < 1:
            raise InputError(
                f"motion.canvas: expected more than the {self.side} pixels of a digit, got "
                f"{motion.canvas}"
            )
        smallest = min(backgrounds.images.shape[2:])
        if motion.canvas > smallest:
            raise InputError(
                f"motion.canvas: expected at most the {smallest} pixels of a background, got "
                f"{motion.canvas}"
            )
        self._same_digit = SameClass(self.digits.labels)
        self._same_background = SameClass(self.backgrounds.labels)

    def draw(self, n: int, frames: int, generator: torch.Generator) -> Scenes:
        """Draw n sequences, every factor of them uniformly and independently."""
        at_least("batch", n, 1)
        height, width = self.backgrounds.images.shape[2:]
        room = torch.tensor([height, width]) - self.motion.canvas + 1
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

    def pairs(self, n: int, sharing: Sharing, generator: torch.Generator) -> tuple[Scenes, Scenes]:
        """Draw the scenes of v1, of k frames, and those of v2, of one.

        All factors of v2 are drawn before some are replaced by those of x_t, so that generators of
        one seed give the same v1 whatever is shared.
        """
        k, t = self.motion.frames, self.motion.target
        sequence = self.draw(n, max(k, t), generator)
        image, x_t = self.draw(n, 1, generator), sequence.frames(t, t)
        if "digit" in sharing.factors:
            same = sharing.digit == "instance"
            other = self._same_digit(x_t.digit, generator)
            image = replace(image, digit=x_t.digit if same else other)
        if "background" in sharing.factors:
            if sharing.background == "image":
                image = replace(image, background=x_t.background, crop=x_t.crop)
            else:
                other = self._same_background(x_t.background, generator)
                image = replace(image, background=other)
        if "position" in sharing.factors:
            image = replace(image, position=x_t.position)
        return sequence.frames(1, k), image

    def render(self, scenes: Scenes) -> Float[Tensor, "n t 3 h w"]:
        """Return the frames of scenes, in [0, 1], on the device of the images.

        A digit is white where its ink is, and lies between pixels by linear interpolation.
        """
        ground = rearrange(self._grounds(scenes), "n c h w -> n 1 c h w")
        device = ground.device
        digit = take(self.digits.images, scenes.digit).squeeze(1) / 255
        down, across = (
            _spread(p, self.side, self.motion).to(device, digit.dtype)
            for p in scenes.position.unbind(2)
        )
        frames = down.shape[1]
        ink = rearrange(down, "n t y i -> n (t y) i") @ digit
        ink = rearrange(ink, "n (t y) j -> (n t) y j", t=frames)
        ink = torch.bmm(ink, rearrange(across, "n t x j -> (n t) j x"))
        ink = rearrange(ink, "(n t) y x -> n t 1 y x", t=frames)
        return torch.addcmul(ground, ink, 1 - ground)

    def factors(self, scenes: Scenes) -> dict[str, Tensor]:
        """Return what single images show: two classes and a position, in pixels of the canvas."""
        return {
            "digit": self.digits.labels[scenes.digit],
            "position": scenes.position[:, 0],
            "background": self.backgrounds.labels[scenes.background],
        }

    def to(self, device: torch.device) -> "MovingMnist":
        """Return the same with its images on a device; what is drawn stays on the CPU."""
        digits, backgrounds = (
            ImageSet(s.images.to(device), s.labels) for s in (self.digits, self.backgrounds)
        )
        return MovingMnist(digits, backgrounds, self.motion)

    def _grounds(self, scenes: Scenes) -> Float[Tensor, "n 3 h w"]:
        side, images = self.motion.canvas, self.backgrounds.images
        # a view of all crops of all images: what is looked up is copied row by row
        windows = images.unfold(2, side, 1).unfold(3, side, 1)
        top, left = (corner.to(images.device) for corner in scenes.crop.unbind(1))
        cut = windows[scenes.background.to(images.device), :, top, left] / 255
        return F.avg_pool2d(cut, self.motion.shrink) if self.motion.shrink > 1 else cut


def moving_mnist(
    digits: DataSet, backgrounds: DataSet, motion: Motion
) -> tuple[MovingMnist, MovingMnist]:
    """Return the training and the test set; they have no digit and no background in common.

    Raises:
        InputError: for digits or backgrounds of one class, or as `MovingMnist` does.
    """
    for data in (digits, backgrounds):
        data.needs_classes("Colorful-Moving-MNIST")
    train = MovingMnist(digits.train, backgrounds.train, motion)
    return train, MovingMnist(digits.test, backgrounds.test, motion)


def trajectory(
    start: Float[Tensor, "n 2"], velocity: Float[Tensor, "n 2"], frames: int, span: float
) -> Float[Tensor, "n t 2"]:
    """Return the positions in frames 1, ..., t of points that borders at 0 and `span` reflect.

    Reflected motion is straight motion on a strip of mirror images, folded back: no loop over time.
    """
    time = rearrange(torch.arange(frames), "t -> t 1")
    straight = rearrange(start, "n d -> n 1 d") + time * rearrange(velocity, "n d -> n 1 d")
    return span - (straight.remainder(2 * span) - span).abs()


def _spread(
    position: Float[Tensor, "n t"], side: int, motion: Motion
) -> Float[Tensor, "n t size side"]:
    """Weights that place `side` pixels on a canvas, from a position that may lie between pixels."""
    cell = rearrange(position, "n t -> n t 1 1") + torch.arange(side)
    whole = (1 - (rearrange(torch.arange(motion.canvas), "p -> p 1") - cell).abs()).clamp_(min=0)
    return reduce(whole, "n t (p s) i -> n t p i", "mean", s=motion.shrink)
