"""`generator_33.cube`, `generator_65.cube`: 3-D lookup tables, close to g."""

from pathlib import Path
from typing import Any

from infomin.core.channel_groups import split
from infomin.export.cube import ColorCube
from infomin.export.formats import Format
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator

BOUNDS = {33: (2 / 255, 5e-4), 65: (1 / 255, 2e-4)}
"""Largest and mean error by points a side, relative to the range of each channel."""


class Lut(Format):
    """`.cube` files of 33 and 65 points a side; see `ColorCube`."""

    name = "lut"
    files = tuple(f"generator_{points}.cube" for points in BOUNDS)
    opened_by = "ffmpeg, Pillow, photo and video editors, `infomin.export.cube.ColorCube`"
    language = "sh"
    usage = """
ffmpeg -i photograph.png -vf lut3d=generator_33.cube views.png
# views are scaled to [0, 1]; comments in the .cube file give the scale
"""

    def check(self, generator: ViewGenerator) -> None:
        """Check that the generator has 3 channels."""
        ColorCube.check_generator(generator)

    def write(self, generator: ViewGenerator, folder: Path, sample: Sample) -> dict[str, Any]:
        """Write and verify both files."""
        records = {}
        for points, (max_error, mean_error) in BOUNDS.items():
            name = f"generator_{points}.cube"
            title = f"infomin view generator, {points} points"
            ColorCube.of(generator, points).save(folder / name, title)
            cube = ColorCube.load(folder / name)
            views = split(cube(sample.images), generator.groups)
            scale = [(cube.high - cube.low)[list(group)] for group in generator.groups]
            record = sample.compare(name, views, max_error, mean_error, scale)
            records[name] = record | {"low": cube.low.tolist(), "high": cube.high.tolist()}
        return records
