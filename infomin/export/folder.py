"""Export a generator: one folder with verified files, a README, pictures and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infomin.core import artifact, files
from infomin.core.errors import one_of
from infomin.core.shapes import Images
from infomin.export import page, readme
from infomin.export.formats import FORMATS
from infomin.export.sample import Sample, random_images
from infomin.generator import ViewGenerator, load_generator
from infomin.shipped import generator_folder


def default_formats(generator: ViewGenerator) -> tuple[str, ...]:
    """Return the formats that a generator is exported in unless others are chosen."""
    return tuple(name for name, f in FORMATS.items() if f.default and f.accepts(generator))


def export(
    source: str | Path,
    out: str | Path,
    formats: Sequence[str] | None = None,
    images: Images | None = None,
    data: str = "images",
) -> Path:
    """Export a saved generator into a new folder, whole or not at all.

    The folder is always a saved generator, which `infomin.load_generator` takes, with `README.md`,
    pictures and a page, `card.html`. Files of other formats lie beside them. Each file is read
    back, run on the sample and compared with g in float32; the card keeps the errors.

    Arguments:
        source: folder of the generator, or a name of `infomin.list_generators`.
        out: new folder; must not exist yet.
        formats: names in `infomin.export.formats.FORMATS`; None for `default_formats`.
        images: the sample, `b c h w`, float, with the channels and the value range of the
            generator; None draws random images with the channel statistics of its card.
        data: source of the images, in words.

    Raises:
        InputError: for an unknown format, a format that cannot hold the generator, a missing
            package, or an error above its bound. Then nothing is left behind.
    """
    generator = load_generator(source)
    formats = default_formats(generator) if formats is None else formats
    for name in formats:
        one_of("formats", name, FORMATS)
        FORMATS[name].check_packages()
        FORMATS[name].check(generator)
    training = artifact.read_card(generator_folder(source), "generator")["training"]
    if images is None:
        images, data = random_images(generator, training, count=256, size=96)
    sample = Sample.of(generator, images, data)
    with files.new_folder(Path(out)) as new:
        records: dict[str, Any] = {}
        for name in formats:
            records |= FORMATS[name].write(generator, new, sample)
        weights = generator.state_dict()
        artifact.write(new, "generator", generator.architecture, weights, training, records)
        readme.write(generator, training, records, new, sample)
        page.write(generator, training, records, new, sample)
    return Path(out)
