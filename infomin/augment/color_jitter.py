r"""Batched colour jitter, grey and Gaussian blur: the recipe of SimCLR and InfoMin.

Brightness, contrast, saturation and hue in a random order for each sample, then grey, then blur
(SimCLR, arXiv:2002.05709, appendix A; InfoMin's code for ImageNet). Pixels equal torchvision's
`ColorJitter` and `GaussianBlur`, the oracles of the tests. The blur is kornia's. The four jitter
operations are ours: hue through HSV would take most of the time of an augmented view
(docs/decisions/0009-augmentation-in-cache.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from infomin.core.batching import Params, apply_by_group, to_device
from infomin.core.errors import InputError, at_least, number_pair, probability
from infomin.core.shapes import Image, Images

Amounts = Float[Tensor, " b"]
Operation = Callable[[Image, Amounts], Image]
"""A function of images and one number per image."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_ROUNDING = 1e-3
"""Distance outside [0, 1] that a pixel may have: half precision rounds."""


@dataclass(frozen=True)
class ColorJitterParams(Params):
    """Sampled colour jitter, grey and blur.

    Attributes:
        jitter: whether the next five apply.
        order: index of the first, second, ... of brightness, contrast, saturation and hue.
        brightness, contrast, saturation: factors; 1 changes nothing.
        hue: shift, in turns of the colour circle.
        gray: whether the image becomes grey.
        sigma: of the blur, in pixels; 0 for none.
    """

    jitter: Bool[Tensor, " n"]
    order: Int64[Tensor, "n 4"]
    brightness: Float[Tensor, " n"]
    contrast: Float[Tensor, " n"]
    saturation: Float[Tensor, " n"]
    hue: Float[Tensor, " n"]
    gray: Bool[Tensor, " n"]
    sigma: Float[Tensor, " n"]


class ColorJitter:
    """Random colour jitter, grey and blur, sampled for each image.

    Arguments:
        brightness, contrast, saturation: s >= 0 for a factor within [max(0, 1 - s), 1 + s].
        hue: h for a shift within [-h, h] turns, at most 0.5.
        jitter: probability of these four.
        gray: probability of grey.
        blur: probability of a Gaussian blur.
        sigma: lowest and highest standard deviation of the blur, in pixels.
        strength: factor >= 0 of brightness, contrast, saturation and hue.

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
        sigma: Sequence[float] = (0.1, 1.0),
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
        sigma = number_pair("photometric.sigma", sigma)
        if not 0 < sigma[0] <= sigma[1]:
            raise InputError(f"photometric.sigma: expected 0 < low <= high, got {list(sigma)}")
        self.jitter, self.gray, self.blur, self.sigma = jitter, gray, blur, sigma

    @property
    def is_identity(self) -> bool:
        """Whether no image is ever changed."""
        return not (self.gray or self.blur or (self.jitter and any(self.strengths.values())))

    @property
    def color_operations(self) -> list[str]:
        """Operations that need R, G and B."""
        strengths = {**self.strengths, "gray": self.gray}
        return [name for name in ("saturation", "hue", "gray") if strengths[name]]

    def check_channels(self, channels: int) -> None:
        """Check that images of C channels can be changed.

        Raises:
            InputError: unless C is 3, if an operation needs R, G and B.
        """
        if channels != 3 and (names := self.color_operations):
            raise InputError(
                f"photometric: {', '.join(names)} need 3 channels, R G B, got {channels}; set "
                + " ".join(f"photometric.{name}=0" for name in names)
            )

    def sample(self, n: int, generator: torch.Generator) -> ColorJitterParams:
        """Sample the parameters of n images."""
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

    def apply(self, images: Images, params: ColorJitterParams) -> Images:
        """Return changed images; float, in [0, 1] as the input must be."""
        self.check_channels(images.shape[1])
        check_unit_range("photometric", images)
        x = images.clone()
        self.apply_(x, params)
        return x

    def apply_(self, x: Images, params: ColorJitterParams) -> None:
        """Change float images in [0, 1] in place, without checks."""
        used = torch.tensor([strength > 0 for strength in self.strengths.values()])
        jittered = rearrange(params.jitter, "n -> n 1") & used[params.order]
        amounts = torch.stack([getattr(params, name) for name in JITTER], 1)
        operations = [*JITTER.values()]
        choice = params.order.where(jittered, -1)
        apply_by_group(x, choice, operations, amounts.gather(1, params.order))
        self.gray_(x, params)
        self._blur_(x, params)

    def gray_(self, x: Images, params: ColorJitterParams) -> None:
        """Make images grey in place where `params.gray` is set."""
        choice = rearrange(params.gray.long() - 1, "n -> n 1")
        unused = torch.zeros_like(choice, dtype=params.sigma.dtype)
        apply_by_group(x, choice, [lambda part, _: gray(part)], unused)

    def apply_to_view(self, view: Image, params: ColorJitterParams) -> Image:
        """Change a view of any number of channels, each scaled about [-1, 1], without clipping.

        Brightness, saturation and hue have no meaning in a learned view. A contrast of c scales
        every channel by c about its mean over the image. A brightness of b adds b - 1, its effect
        on the middle of an image scaled to [-1, 1]. Blur is that of images.
        """
        columns = (params.jitter, params.contrast, params.brightness)
        jitter, scale, offset = (per_image(to_device(c, view.device)) for c in columns)
        mean = view.mean((2, 3), keepdim=True)
        x = torch.where(jitter, view + (scale - 1) * (view - mean) + (offset - 1), view).to(view)
        self._blur_(x, params)
        return x

    def _blur_(self, x: Image, params: ColorJitterParams) -> None:
        """Blur in place; the kernel reaches three sigma, or as far as reflection allows.

        Kernels are made on the CPU: kornia reads sigma, and reading it from a GPU would wait.
        """
        blurred = params.sigma > 0
        if not blurred.any():
            return
        from kornia.filters import filter2d_separable, get_gaussian_kernel1d

        reach = min(ceil(3 * self.sigma[1]), *(side - 1 for side in x.shape[2:]))
        sigma = rearrange(params.sigma.where(blurred, 1), "n -> n 1")
        kernels = rearrange(get_gaussian_kernel1d(2 * reach + 1, sigma), "n k -> n 1 k")
        choice = rearrange(blurred.long() - 1, "n -> n 1")
        apply_by_group(x, choice, [lambda part, k: filter2d_separable(part, k, k)], kernels)


def check_unit_range(option: str, images: Tensor) -> None:
    """Check that images are floats in [0, 1], up to rounding.

    Raises:
        InputError: for other types or values.
    """
    if not images.is_floating_point():
        raise InputError(
            f"{option}: expected float images within [0, 1], got {images.dtype}; divide 8-bit "
            "images by 255"
        )
    if images.numel():
        low, high = torch.stack(images.detach().aminmax()).tolist()
        if not -_ROUNDING <= low <= high <= 1 + _ROUNDING:
            raise InputError(
                f"{option}: expected float images within [0, 1], got values from {low:.4g} to "
                f"{high:.4g}; scale them first"
            )


def brightness(images: Image, factor: Amounts) -> Image:
    """Multiply by a factor of at least 0."""
    return (images * per_image(factor)).clamp_(0, 1)


def contrast(images: Image, factor: Amounts) -> Image:
    """Scale about the mean luma; with other than 3 channels about the mean of all."""
    mean = reduce(images, "b c h w -> b c", "mean")
    middle = luma(mean) if images.shape[1] == 3 else mean.mean(1, keepdim=True)
    return torch.lerp(rearrange(middle, "b 1 -> b 1 1 1"), images, per_image(factor)).clamp_(0, 1)


def saturation(images: Image, factor: Amounts) -> Image:
    """Scale R, G and B about the luma of each pixel."""
    return torch.lerp(luma(images), images, per_image(factor)).clamp_(0, 1)


def hue(images: Image, turns: Amounts) -> Image:
    r"""Turn the hue of R, G and B by a fraction of the colour circle, with HSV's V and S constant.

    With V the largest of R, G, B and C = V - min, a channel at hue h has the value
    `V - C clamp(6 |d| - 1, 0, 1)`. d is the distance of h from the channel's own hue (0, 1/3 and
    2/3 of a turn), the shorter way round. No conversion to HSV is needed.
    """
    r, g, b = images.unbind(1)
    high = torch.maximum(torch.maximum(r, g), b)
    chroma = high - torch.minimum(torch.minimum(r, g), b)
    sixths = torch.where(  # hue x 6 x chroma
        r == high,
        g - b,
        torch.where(
            g == high, torch.add(b - r, chroma, alpha=2), torch.add(r - g, chroma, alpha=4)
        ),
    )
    chroma6 = (6 * chroma).clamp_(min=torch.finfo(images.dtype).tiny)  # grey has no hue
    angle = sixths.div_(chroma6).add_(rearrange(turns, "b -> b 1 1"))
    thirds = torch.arange(3, dtype=images.dtype, device=images.device) / 3
    distance = rearrange(angle, "b h w -> b 1 h w") - rearrange(thirds, "c -> c 1 1")
    distance = distance.sub_(distance.round()).abs_().clamp_(1 / 6, 2 / 6)
    top = rearrange(high.add_(chroma), "b h w -> b 1 h w")
    turned = torch.addcmul(top, rearrange(chroma6, "b h w -> b 1 h w"), distance, value=-1)
    return turned.clamp_(0, 1)  # rounding can leave [0, 1]


def luma(pixels: Float[Tensor, "b 3 ..."]) -> Float[Tensor, "b 1 ..."]:
    """Return the luma of R, G and B."""
    r, g, b = (pixels[:, i : i + 1] for i in range(3))
    return (_LUMA[0] * r).add_(g, alpha=_LUMA[1]).add_(b, alpha=_LUMA[2])


def gray(images: Image) -> Image:
    """Return images with the luma in all three channels."""
    return luma(images).expand(images.shape)


def per_image(amount: Shaped[Tensor, " b"]) -> Shaped[Tensor, "b 1 1 1"]:
    """Return amounts that broadcast over images."""
    return rearrange(amount, "b -> b 1 1 1")


JITTER: dict[str, Operation] = {f.__name__: f for f in (brightness, contrast, saturation, hue)}
