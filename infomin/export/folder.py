"""An exported generator: one folder that is whole, verified, and says what it holds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from infomin.core import artifact, files
from infomin.core.errors import one_of
from infomin.core.shapes import Images
from infomin.export import lut, onnx, page, readme, torch_export
from infomin.export.cube import ColorCube
from infomin.export.sample import Sample
from infomin.generator import ViewGenerator, load_generator
from infomin.shipped import located
from infomin.views.color_table import ColorTable

Write = Callable[[ViewGenerator, Path, Sample], dict[str, Any]]
_WRITERS: dict[str, Write] = {
    "torch_export": torch_export.write,
    "onnx": onnx.write,
    "lut": lut.write,
    "table": lut.write_table,
}
FORMATS = ("artifact", *_WRITERS)


def usual(generator: ViewGenerator) -> tuple[str, ...]:
    """Return the formats that a generator is exported in unless others are asked for."""
    return ("artifact", "torch_export", "onnx", *(("lut",) if generator.channels == 3 else ()))


def export(
    source: str | Path, out: str | Path, formats: Sequence[str] | None, images: Images, data: str
) -> Path:
    """Export a saved generator into a new folder, whole or not at all.

    The folder is always an artifact, weights and card, which `infomin.load_generator` takes, with a
    README, pictures and a page, `card.html`; the other formats lie beside it. Each is read back,
    run on the sample and compared with the float32 generator, and the card keeps the errors.

    Arguments:
        source: folder of the generator.
        out: must not exist yet.
        formats: of `FORMATS`: `torch_export`, `onnx`, `lut`, and `table`, of 200 MB; None for all
            but the last that the generator can take.
        images: real ones, `b c h w`, of the generator's channels and within its value range.
        data: where they are from.

    Raises:
        InputError: for an unknown format, one that the generator cannot take, a missing package,
            or an error above its bound; nothing is left behind then.
    """
    generator = load_generator(source)
    formats = usual(generator) if formats is None else formats
    for name in formats:
        one_of("formats", name, FORMATS)
    if "onnx" in formats:
        onnx.needed()
    if "lut" in formats:
        ColorCube.needs(generator)
    if "table" in formats:
        ColorTable.needs(generator)
    training = artifact.read_card(located(source), "generator")["training"]
    sample = Sample.of(generator, images, data)
    with files.new_folder(Path(out)) as new:
        exports: dict[str, Any] = {}
        for name in formats:
            if name in _WRITERS:
                exports |= _WRITERS[name](generator, new, sample)
        weights = generator.state_dict()
        artifact.write(new, "generator", generator.architecture, weights, training, exports)
        readme.write(generator, training, exports, new, sample)
        page.write(generator, training, exports, new, sample)
    return Path(out)
