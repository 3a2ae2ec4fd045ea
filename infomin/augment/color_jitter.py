r"""Batched photometric augmentation: jitter of colour, grey and blur, as experts choose them.

Brightness, contrast, saturation and hue in an order drawn for every sample, then grey, then blur:
the recipe of SimCLR (arXiv:2002.05709, appendix A) and of InfoMin's code for ImageNet. Pixels come
out as torchvision's `ColorJitter` and `GaussianBlur` make them (the oracles of the tests); the blur
is kornia's. As with crops, parameters are drawn for the whole batch and then applied, so that
several processes can draw the same ones and each apply its share.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import ceil

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from infomin.augment.jitter_operations import JITTER, gray
from infomin.core.batching import change, sent
from infomin.core.errors import InputError, at_least, low_and_high, probability
from infomin.core.shapes import Image, Images

_ROUNDING = 1e-3
"""How far outside [0, 1] a pixel may be: half precision rounds."""


@dataclass(frozen=True)
class ColorJitterParams:
    """What happens to each sample of a batch.

    Attributes:
        jitter: whether the next five happen at all.
        order: which of brightness, contrast, saturation and hue comes first, second, ...
        brightness, contrast, saturation: factors, 1 changes nothing.
        hue: shift, in turns of the colour circle.
        gray: whether it loses its colour.
        sigma: of the blur, in pixels; 0 where there is none.
    """

    jitter: Bool[Tensor, " n"]
    order: Int64[Tensor, "n 4"]
    brightness: Float[Tensor, " n"]
    contrast: Float[Tensor, " n"]
    saturation: Float[Tensor, " n"]
    hue: Float[Tensor, " n"]
    gray: Bool[Tensor, " n"]
    sigma: Float[Tensor, " n"]

    def part(self, which: slice) -> "ColorJitterParams":
        """Return the changes of a part of the batch."""
        return ColorJitterParams(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def in_color(self) -> "ColorJitterParams":
        """Return the same changes without grey."""
        return replace(self, gray=torch.zeros_like(self.gray))


class ColorJitter:
    """Random jitter of colour, grey and blur, each sample by its own draw.

    Arguments:
        brightness, contrast, saturation: s >= 0 for a factor within [max(0, 1 - s), 1 + s].
        hue: h for a shift within [-h, h] turns, at most 0.5.
        jitter: probability that these four happen.
        gray: probability of grey.
        blur: probability of a Gaussian blur.
        sigma: lowest and highest deviation of the blur, in pixels.
        strength: x >= 0, which brightness, contrast, saturation and hue are multiplied by.

    Raises:
        InputError: for values outside these ranges.
    """

    def __init__(
        self,
        brightness: float = 0.0,
        contrast: float = 0.0,
        saturation: float = 0.0,
        hue: float = 0.0,
        jitter: float = 1.0,
        gray: float = 0.0,
        blur: float = 0.0,
        sigma: Sequence[float] = (0.1, 2.0),
        strength: float = 1.0,
    ) -> None:
        amounts = dict(zip(JITTER, (brightness, contrast, saturation, hue), strict=True))
        for name, value in (amounts | {"strength": strength}).items():
            at_least(f"photometric.{name}", value, 0)
        self.strengths = {name: strength * value for name, value in amounts.items()}
        if self.strengths["hue"] > 0.5:
            times = "" if strength == 1 else f" times strength {strength}"
            raise InputError(
                f"photometric.hue: expected at most 0.5, half a turn, got {hue}{times}"
            )
        for name, value in (("jitter", jitter), ("gray", gray), ("blur", blur)):
            probability(f"photometric.{name}", value)
        sigma = low_and_high("photometric.sigma", sigma)
        if not 0 < sigma[0] <= sigma[1]:
            raise InputError(f"photometric.sigma: expected 0 < low <= high, got {list(sigma)}")
        self.jitter, self.gray, self.blur, self.sigma = jitter, gray, blur, sigma

    @property
    def idle(self) -> bool:
        """Whether nothing is ever changed."""
        return not (self.gray or self.blur or (self.jitter and any(self.strengths.values())))

    @property
    def of_color(self) -> list[str]:
        """The changes that ask for R, G and B."""
        strengths = {**self.strengths, "gray": self.gray}
        return [name for name in ("saturation", "hue", "gray") if strengths[name]]

    def fits(self, channels: int) -> None:
        """Make sure that images of so many channels can be changed.

        Raises:
            InputError: for other than 3 channels, where a change needs colour.
        """
        asked = self.of_color
        if channels != 3 and asked:
            raise InputError(
                f"photometric: {', '.join(asked)} need 3 channels, R G B, got {channels}; set "
                + " ".join(f"photometric.{name}=0" for name in asked)
            )

    def sample(self, n: int, generator: torch.Generator) -> ColorJitterParams:
        """Draw what happens to n samples."""
        u = torch.rand(8, n, generator=generator)
        order = torch.rand(n, 4, generator=generator).argsort(1)
        amounts = {}
        for i, (name, strength) in enumerate(self.strengths.items()):
            low, high = max(0, 1 - strength), 1 + strength
            if name == "hue":
                low, high = -strength, strength
            amounts[name] = low + (high - low) * u[i]
        sigma = self.sigma[0] + (self.sigma[1] - self.sigma[0]) * u[4]
        return ColorJitterParams(
            jitter=u[5] < self.jitter,
            order=order,
            gray=u[6] < self.gray,
            sigma=torch.where(u[7] < self.blur, sigma, 0),
            **amounts,
        )

    def apply(self, images: Images, changes: ColorJitterParams) -> Images:
        """Change images within [0, 1], which they stay in; 3 channels are R, G and B.

        Contrast is about the mean luma, with other than 3 channels about the mean of all.

        Raises:
            InputError: see `fits`; or for images that are no floats within [0, 1].
        """
        self.fits(images.shape[1])
        floats("photometric", images)
        x = images.clone()
        self.change(x, changes)
        return x

    def change(self, x: Images, changes: ColorJitterParams) -> None:
        """Change images in place that are known to be floats within [0, 1]; see `apply`."""
        used = torch.tensor([strength > 0 for strength in self.strengths.values()])
        drawn = changes.order.where(rearrange(changes.jitter, "n -> n 1") & used[changes.order], -1)
        amounts = torch.stack([getattr(changes, name) for name in JITTER], 1)
        change(x, drawn, [*JITTER.values()], amounts.gather(1, changes.order))
        self.take_color(x, changes)
        self._blur(x, changes)

    def take_color(self, x: Images, changes: ColorJitterParams) -> None:
        """Take the colour of those that lose it, in place, and change nothing else."""
        nothing = rearrange(torch.zeros_like(changes.sigma), "n -> n 1")
        change(x, _if(changes.gray), [lambda part, _: gray(part)], nothing)

    def apply_to_view(self, view: Image, changes: ColorJitterParams) -> Image:
        """Change a view, of any number of channels, each scaled about [-1, 1]; nothing is cut off.

        What brightness, saturation and hue are nobody knows in a learned view. A contrast of c
        scales every channel by c about its own mean over the image, and a brightness of b adds
        b - 1, which is what it does to the middle of an image scaled to [-1, 1]. Blur is the same.
        """
        jitter, scale, offset = (
            rearrange(sent(drawn, view.device), "b -> b 1 1 1")
            for drawn in (changes.jitter, changes.contrast, changes.brightness)
        )
        mean = view.mean((2, 3), keepdim=True)
        x = torch.where(jitter, view + (scale - 1) * (view - mean) + (offset - 1), view).to(view)
        self._blur(x, changes)
        return x

    def _blur(self, x: Image, changes: ColorJitterParams) -> None:
        """Blur in place; the kernel reaches three deviations, or as far as reflection lets it.

        Kernels are made where they were drawn: kornia looks at deviations, for which a CPU would
        wait for a GPU.
        """
        from kornia.filters import filter2d_separable, get_gaussian_kernel1d

        reach = min(ceil(3 * self.sigma[1]), *(side - 1 for side in x.shape[2:]))
        blurred = changes.sigma > 0
        if blurred.any():
            deviations = rearrange(changes.sigma.where(blurred, 1), "n -> n 1")
            kernels = get_gaussian_kernel1d(2 * reach + 1, deviations)
            each = [lambda part, kernel: filter2d_separable(part, kernel, kernel)]
            change(x, _if(blurred), each, rearrange(kernels, "n k -> n 1 k"))


def floats(whose: str, images: Tensor) -> None:
    """Make sure that images are floats within [0, 1], which changes of colour are of.

    Raises:
        InputError: for others.
    """
    if not images.is_floating_point():
        raise InputError(
            f"{whose}: expected float images within [0, 1], got {images.dtype}; divide 8-bit "
            "images by 255"
        )
    if images.numel():
        low, high = torch.stack(images.detach().aminmax()).tolist()
        if not -_ROUNDING <= low <= high <= 1 + _ROUNDING:
            raise InputError(
                f"{whose}: expected float images within [0, 1], got values from {low:.4g} to "
                f"{high:.4g}; scale them first"
            )


def _if(which: Bool[Tensor, " n"]) -> Int64[Tensor, "n 1"]:
    """Return what is drawn where there is one operation, or none."""
    return rearrange(which.long() - 1, "n -> n 1")
