"""Export a generator as files for other programs, with its card, pictures and a page.

    infomin export-generator
    infomin export-generator generator=PATH out=FOLDER 'formats=[torch_export,onnx]'

About a minute on two cores. Every file is verified: on your images with data=image_folder
data.root=PATH, else on built-in photographs for RGB generators, else on random images with the
channel statistics of the card.
"""

from pathlib import Path

from omegaconf import DictConfig

from infomin import load_generator
from infomin.augment import resize
from infomin.cli.main import command, instantiate, origin, plain, show
from infomin.core import artifact
from infomin.core.errors import whole_number
from infomin.core.shapes import Images
from infomin.core.value_range import RGB
from infomin.export import export
from infomin.export.sample import random_images
from infomin.generator import ViewGenerator
from infomin.runs.folder import RESULT, newest
from infomin.shipped import generator_folder


@command("export_generator")
def export_generator(cfg: DictConfig) -> None:
    """Export a generator, and print the errors of its files and how to load it."""
    whole_number("images", cfg.images, 1)
    source = str(cfg.generator or newest(cfg.runs, "learn_views", "generator"))
    images, data = _sample(cfg, source, load_generator(source))
    folder = export(source, cfg.out or _default_out(source), plain(cfg.formats), images, data)
    exports = artifact.read_card(folder, "generator").get("exports", {})
    for file, record in exports.items():
        print(f"{file}: largest error {record['max_error']:.1e}")
    show("exported to", Path(folder))
    print("next: infomin.load_generator(PATH) in Python, or open card.html in a browser")


def _sample(cfg: DictConfig, source: str, g: ViewGenerator) -> tuple[Images, str]:
    """Return the images that every file is verified on, and their source in words."""
    size, photographs = cfg.budget.size, g.takes_8_bit_colors and g.channel_names == RGB
    if "data" not in cfg and not photographs:
        training = artifact.read_card(generator_folder(source), "generator")["training"]
        images, data = random_images(g, training, cfg.images, size)
        print(f"generator {source}: verified on {data}; data=... verifies on your own images")
        return images, data
    data = instantiate(cfg.data if "data" in cfg else cfg.photographs)
    data.check_complete("an export")
    print(origin("generator", source, data.name))
    data.check_images(f"generator: {source}", g.channels, g.value_range, g.channel_names)
    step = max(1, len(data.test) // cfg.images)
    return resize(data.test.images[::step][: cfg.images], data.size), data.name


def _default_out(source: str) -> Path:
    """Return `export` in the run of a generator, or `exports/<name>` without a run."""
    folder = generator_folder(source)
    if (folder.parent / RESULT).exists():
        return folder.parent / "export"
    return Path("exports") / folder.name
