"""Export a generator: one folder with verified files, a README, pictures and a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from infomin.core import artifact, files
from infomin.core.shapes import Images
from infomin.export import page
from infomin.export.formats import FORMATS, check_format, default_formats
from infomin.export.readme import generator_readme
from infomin.export.sample import Sample, random_images
from infomin.generator import load_generator
from infomin.runs.pictures import color_picture, views_picture
from infomin.shipped import generator_folder
from infomin.views import LearnedViews

_PICTURED = 10  # images of the picture in the README


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
        formats: names in `infomin.export.formats.FORMATS`; None for all but `table` that fit.
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
        check_format(name, generator)
    training = artifact.read_card(generator_folder(source), "generator")["training"]
    if images is None:
        images, data = random_images(generator, training, count=256, size=96)
    sample = Sample.of(generator, images, data)
    out = files.user_path(out)
    with files.new_folder(out) as new:
        records: dict[str, Any] = {}
        for name in formats:
            records |= FORMATS[name].write(generator, new, sample)
        weights = generator.state_dict()
        artifact.write(new, "generator", generator.architecture, weights, training, records)
        shown = images[:: max(1, len(images) // _PICTURED)][:_PICTURED]
        views = views_picture(LearnedViews(generator), shown, data, generator.channel_names)
        files.write_figure(new / "views.png", views)
        files.write_figure(new / "color.png", color_picture(generator, images[:256]))
        readme = generator_readme(generator, training, records, new)
        files.write_text(new / "README.md", readme)
        page.write(generator, training, records, new, sample)
    return out
