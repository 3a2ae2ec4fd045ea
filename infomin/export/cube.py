"""A frozen 3-channel generator as a 3-D lookup table of n^3 colours, as used in film and video.

Colours between lattice points are interpolated, so the table is close to g and not equal to it.
(`infomin.views.color_table.ColorTable` is exact, for 8 bits.) It takes images of any bit depth. As
a `.cube` file it works in ffmpeg, Pillow, video and photo editors.

A `.cube` file holds numbers in [0, 1], and view values are not limited to them. Channel c is stored
as (y_c - low_c) / (high_c - low_c); comments in the header give low and high.
"""

from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from PIL import ImageFilter
from torch import Tensor, nn

from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.pixels import to_float
from infomin.core.precision import FixedPrecision
from infomin.core.shapes import Images, Pixels
from infomin.core.value_range import UNIT, ValueRange, check_range, parse_range
from infomin.generator import ViewGenerator

Lattice = Float[Tensor, "3 n n n"]
"""Axes: output channel, blue, green, red."""

_MAX_POINTS = 256  # limit of ffmpeg; that of Pillow is 65
_FIT_STEPS, _FIT_RATE, _FIT_NORM = 100, 1e-3, 4


class ColorCube(FixedPrecision):
    """g on n^3 colours, with trilinear interpolation.

    Arguments:
        stored: the lattice in [0, 1].
        low, high: range of each output channel; y = low + stored (high - low).
        value_range: of the images.

    Raises:
        InputError: for anything but a cube of 2..256 points a side with three channels.
    """

    stored: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        stored: Lattice,
        low: Float[Tensor, " 3"],
        high: Float[Tensor, " 3"],
        value_range: ValueRange = UNIT,
    ) -> None:
        super().__init__()
        if not 2 <= stored.shape[-1] <= _MAX_POINTS:
            raise InputError(
                f"points: expected 2..{_MAX_POINTS} a side of the cube, got {stored.shape[-1]}"
            )
        self.register_buffer("stored", stored)
        self.register_buffer("low", low)
        self.register_buffer("high", high)
        self.value_range = value_range

    @classmethod
    @torch.no_grad()
    def of(cls, generator: ViewGenerator, points: int = 33) -> "ColorCube":
        """Compute the cube of a generator.

        The lattice is fitted: its interpolation is nearest to g on a lattice twice as fine. The
        coupling networks are piecewise linear. Beside a kink, plain values of g err to one side;
        fitted values err half as much, to both sides.

        Arguments:
            generator: g, with 3 channels.
            points: n, lattice points a side; usual sizes are 17, 33 and 65.

        Raises:
            InputError: for another number of channels or points.
        """
        cls.check_generator(generator)
        return cls(*_scaled(_fit(_sample(generator, 2 * points - 1))), generator.value_range)

    @staticmethod
    def check_generator(generator: ViewGenerator) -> None:
        """Check that a generator can be a cube.

        Raises:
            InputError: for other than 3 channels.
        """
        if generator.channels != 3:
            raise InputError(
                f"lut: a lookup table needs a generator of 3 channels, got {generator.channels}; "
                "leave lut out of formats"
            )

    @property
    def points(self) -> int:
        """Lattice points a side."""
        return self.stored.shape[-1]

    def forward(self, x: Pixels) -> Images:
        """Return g(x), nearly, for images `b 3 h w` of any type of `core.pixels`.

        Raises:
            InputError: for another type, or values outside the value range.
        """
        x = to_float(x, self.value_range, "a lookup table", self.stored.dtype)
        if x.ndim != 4 or x.shape[1] != 3:
            raise InputError(
                f"images: a lookup table takes b 3 h w, got {' '.join(map(str, x.shape))}"
            )
        check_range(x, self.value_range, "a lookup table")
        lowest, highest = self.value_range
        place = (x - lowest) * (2 / (highest - lowest)) - 1
        grid = rearrange(place, "b c h w -> 1 b h w c")  # red is the innermost axis, as in x
        lattice = _unscaled(self.stored, self.low, self.high)[None]
        y = nn.functional.grid_sample(lattice, grid, padding_mode="border", align_corners=True)
        return rearrange(y, "1 c b h w -> b c h w")

    def save(self, path: Path, title: str) -> None:
        """Write a `.cube` file; comments in its header say how to recover the views."""
        lowest, highest = self.value_range
        low, high = (" ".join(f"{v:.9g}" for v in side.tolist()) for side in (self.low, self.high))
        lines = [
            f'TITLE "{title}"',
            "# a view generator of infomin: the table gives stored values in [0, 1],",
            "# and output channel c is y_c = low_c + stored_c * (high_c - low_c)",
            f"# low {low}",
            f"# high {high}",
            f"# images are scaled from [{lowest:.9g}, {highest:.9g}] to [0, 1] first",
            f"# range {lowest:.9g} {highest:.9g}",
            f"LUT_3D_SIZE {self.points}",
        ]
        rows = rearrange(self.stored, "c b g r -> (b g r) c").tolist()
        lines += [f"{r:.7f} {g:.7f} {b:.7f}" for r, g, b in rows]
        files.write_text(path, "\n".join(lines) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> "ColorCube":
        """Read a `.cube` file written by `save`.

        Raises:
            InputError: for a missing or damaged file, or another kind of `.cube` file.
        """
        header: dict[str, list[float]] = {}
        rows: list[list[float]] = []
        try:
            for line in files.user_path(path).read_text(encoding="utf-8").splitlines():
                words = line.removeprefix("#").split()
                if words and words[0] in ("low", "high", "range", "LUT_3D_SIZE"):
                    header[words[0]] = [float(word) for word in words[1:]]
                elif line[:1] in "-0123456789":
                    rows.append([float(word) for word in words])
            n = int(header["LUT_3D_SIZE"][0])
            numbers = torch.tensor(rows, dtype=torch.float32)
            stored = rearrange(numbers, "(b g r) c -> c b g r", b=n, g=n, r=n)
            low, high = (torch.tensor(header[x], dtype=torch.float32) for x in ("low", "high"))
            numbers = torch.cat([stored.flatten(), low, high])
            if len(low) != 3 or len(high) != 3 or not numbers.isfinite().all():
                raise ValueError("numbers are missing or infinite")
            return cls(stored, low, high, parse_range(header["range"], "range"))
        except (OSError, ValueError, LookupError, RuntimeError, ArithmeticError) as error:
            raise InputError(
                f"{path}: is not a .cube file of a view generator ({str(error)[:200]})"
            ) from None

    def pillow(self) -> Any:
        """Return a filter for `PIL.Image.filter`; its output is the stored values in 8 bits.

        Raises:
            InputError: above 65 points, the limit of Pillow.
        """
        if self.points > 65:
            raise InputError(f"points: Pillow takes at most 65, got {self.points}")
        rows = rearrange(self.stored, "c b g r -> (b g r c)").tolist()
        return ImageFilter.Color3DLUT(self.points, rows)


def _sample(generator: ViewGenerator, points: int) -> Lattice:
    """Return g at the points of a lattice."""
    like = generator.start.matrix
    level = torch.linspace(*generator.value_range, points, dtype=like.dtype, device=like.device)
    blue, green, red = torch.meshgrid(level, level, level, indexing="ij")
    image = rearrange([red, green, blue], "c b g r -> 1 c b (g r)")
    return rearrange(generator.transform(image), "1 c b (g r) -> c b g r", r=points)


def _fit(fine: Float[Tensor, "3 m m m"]) -> Lattice:
    """Return the lattice with every other point whose interpolation is nearest to the fine one."""
    target, low, high = _scaled(fine)
    with torch.enable_grad():
        stored = target[:, ::2, ::2, ::2].clone().requires_grad_()
        optimizer = torch.optim.Adam([stored], lr=_FIT_RATE, betas=(0.9, 0.99))
        decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, _FIT_STEPS)
        for _ in range(_FIT_STEPS):
            interpolated = nn.functional.interpolate(
                stored[None], size=target.shape[1:], mode="trilinear", align_corners=True
            )
            optimizer.zero_grad()
            # in hundredths, since their fourth power does not underflow in float32
            (100 * (interpolated[0] - target)).pow(_FIT_NORM).sum().backward()
            optimizer.step()
            decay.step()
    return _unscaled(stored.detach(), low, high)


def _scaled(y: Lattice) -> tuple[Lattice, Float[Tensor, " 3"], Float[Tensor, " 3"]]:
    """Return a lattice scaled to [0, 1], and the range of each channel."""
    low, high = y.amin((1, 2, 3)), y.amax((1, 2, 3))
    return (y - low.view(3, 1, 1, 1)) / (high - low).view(3, 1, 1, 1), low, high


def _unscaled(stored: Lattice, low: Float[Tensor, " 3"], high: Float[Tensor, " 3"]) -> Lattice:
    """Undo `_scaled`."""
    return stored * (high - low).view(3, 1, 1, 1) + low.view(3, 1, 1, 1)
