r"""Colour spaces: the channels that a view generator starts from.

Linear spaces are matrices M with y = M x + b on RGB in [0, 1]: exactly invertible, differentiable
and batched. A flow can start from any of them. Non-linear spaces (Lab, Luv, HSV) are kornia's. They
have no inverse here and serve as fixed views only.

The matrices are those of scikit-image, the library of the authors' code; its `rgb2ydbdr` and so on
are the oracles of the tests. Y is always ITU-R BT.601 luma. YDbDr scaled to [-1, 1] by the exact
range of each channel is the input of the authors' networks (`datasets/util.py`: mean .457, -.082,
-.052, deviation .500, 1.331, 1.333; exact range .5, 0, 0 and .5, 1.333, 1.333).
"""

import torch
from einops import rearrange
from torch import Tensor

from infomin.core.errors import InputError
from infomin.core.shapes import Images
from infomin.core.value_range import UNIT, ValueRange
from infomin.flows import FixedAffine, to_images, to_rows

# rows are output channels, columns R, G, B; oracle: skimage.color.rgb2<name>
_MATRICES: dict[str, list[list[float]]] = {
    "rgb": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "ydbdr": [[0.299, 0.587, 0.114], [-0.45, -0.883, 1.333], [-1.333, 1.116, 0.217]],
    "yiq": [
        [0.299, 0.587, 0.114],
        [0.59590059, -0.27455667, -0.32134392],
        [0.21153661, -0.52273617, 0.31119955],
    ],
    "yuv": [
        [0.299, 0.587, 0.114],
        [-0.14714119, -0.28886916, 0.43601035],
        [0.61497538, -0.51496512, -0.10001026],
    ],
    "ypbpr": [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
    "ycbcr": [[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]],
    # intensity, red-blue and green-magenta: the decorrelated axes of natural images
    # (Ohta, Kanade, Sakai 1980), the I1 I2 I3 of the vision literature
    "opponent": [[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [-0.25, 0.5, -0.25]],
}
_OFFSETS = {"ycbcr": [16.0, 128.0, 128.0]}
_NAMES = {
    "rgb": "R G B",
    "ydbdr": "Y Db Dr",
    "yiq": "Y I Q",
    "yuv": "Y U V",
    "ypbpr": "Y Pb Pr",
    "ycbcr": "Y Cb Cr",
    "opponent": "I RB GM",
    "lab": "L a b",
    "luv": "L u v",
    "hsv": "H S V",
}
# lowest and highest value of kornia's channels over all RGB in [0, 1]
_ONE_WAY_RANGES = {
    "lab": [(0.0, 100.0), (-86.19, 98.25), (-107.87, 94.48)],
    "luv": [(0.0, 100.0), (-83.08, 175.06), (-134.12, 107.42)],
    "hsv": [(0.0, 2 * torch.pi), (0.0, 1.0), (0.0, 1.0)],
}

LINEAR_SPACES = tuple(_MATRICES)
ONE_WAY_SPACES = tuple(_ONE_WAY_RANGES)


def channel_names(space: str) -> tuple[str, ...]:
    """Return the three channel names of a colour space."""
    _check_space(space)
    return tuple(_NAMES[space].split())


def linear_space(
    space: str, channels: int = 3, normalize: bool = False, dtype: torch.dtype | None = None
) -> FixedAffine:
    """Return the map from C channels in [0, 1] to a linear colour space, on pixel rows `(n, c)`.

    Arguments:
        space: one of `LINEAR_SPACES`; `rgb` keeps the channels and takes any C.
        channels: C; spaces other than `rgb` need 3.
        normalize: scale every channel from its range to [-1, 1].
        dtype: of the matrices, by default torch's; they are computed in float64.

    Raises:
        InputError: for an unknown or one-way space, or for another number of channels than it has.
    """
    if space not in LINEAR_SPACES:
        why = "which has no exact linear inverse" if space in ONE_WAY_SPACES else "which is unknown"
        raise InputError(f"color: expected one of {', '.join(LINEAR_SPACES)}, got {space!r}, {why}")
    if space != "rgb" and channels != 3:
        raise InputError(
            f"color: {space} needs 3 channels, got {channels}; use color=rgb, which takes "
            "any number of channels"
        )
    if space == "rgb":
        matrix, offset = torch.eye(channels).double(), torch.zeros(channels).double()
    else:
        matrix = torch.tensor(_MATRICES[space], dtype=torch.float64)
        offset = torch.tensor(_OFFSETS.get(space, [0.0] * 3), dtype=torch.float64)
    if normalize:
        low = matrix.clamp(max=0).sum(-1)
        high = matrix.clamp(min=0).sum(-1)
        middle, half = (high + low) / 2, (high - low) / 2
        matrix, offset = matrix / half[:, None], -middle / half
    dtype = dtype or torch.get_default_dtype()
    return FixedAffine(matrix.to(dtype), offset.to(dtype))


def convert(images: Images, space: str, normalize: bool = False) -> Images:
    """Convert RGB images in [0, 1], `b 3 h w`, to any colour space, linear or one-way.

    Units are scikit-image's (YCbCr in 16..240, Lab's L in 0..100), except hue, in radians. With
    `normalize` every channel is scaled from its range to [-1, 1]. `rgb` takes any number of
    channels and keeps them.

    Raises:
        InputError: for an unknown space, or images without 3 channels for a space that needs them.
    """
    _check_space(space)
    if space == "rgb":
        return 2 * images - 1 if normalize else images
    if space in _MATRICES:
        flow = linear_space(space, images.shape[1], normalize, images.dtype).to(images.device)
        return to_images(flow(to_rows(images)), like=images)
    if images.shape[1] != 3:
        raise InputError(f"color: {space} needs 3 channels, got {images.shape[1]}")
    from kornia import color  # heavy, for these three spaces only

    y: Tensor = getattr(color, f"rgb_to_{space}")(images)
    if normalize:
        low, high = rearrange(y.new_tensor(_ONE_WAY_RANGES[space]), "c ends -> ends c 1 1")
        y = ((high - low) / 2).reciprocal() * (y - (high + low) / 2)
    return y


def _check_space(space: str) -> None:
    if space not in _NAMES:
        raise InputError(f"color: expected one of {', '.join(_NAMES)}, got {space!r}")


def rescale_input(space: FixedAffine, value_range: ValueRange) -> FixedAffine:
    """Return a colour space that takes `value_range` in place of [0, 1]."""
    low, high = value_range
    if (low, high) == UNIT:
        return space
    matrix = space.matrix / (high - low)
    offset = space.offset - low * matrix.sum(-1)
    single = torch.tensor([low, high]).float().diff()
    if not (matrix.isfinite().all() and offset.isfinite().all() and 0 < single < torch.inf):
        raise InputError(
            f"value_range: expected low and high that differ in float32, got {low}, {high}"
        )
    return FixedAffine(matrix, offset)
