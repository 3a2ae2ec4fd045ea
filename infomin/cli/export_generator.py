"""Export a generator as files for other programs, with its card, pictures and a page.

    infomin export-generator
    infomin export-generator generator=PATH folder=FOLDER 'formats=[torch_export,onnx]'

About a minute on two cores. Every file is verified: on the images that g learned from, or on yours
with data=image_folder data.root=PATH; without a run on built-in photographs for RGB generators,
else on random images with the channel statistics of the card.
"""

from omegaconf import DictConfig, open_dict

from infomin import load_generator
from infomin.cli.main import command, export_folder, origin, plain, show
from infomin.cli.read_data import data_of_run, is_told, read_data, sample_images
from infomin.core import artifact
from infomin.core.errors import whole_number
from infomin.core.shapes import Images
from infomin.core.value_range import RGB
from infomin.export import export
from infomin.export.formats import FORMATS, check_format, missing_packages
from infomin.export.sample import random_images
from infomin.generator import ViewGenerator
from infomin.runs.lookup import newest
from infomin.runs.progress import show_work
from infomin.shipped import generator_folder


@command("export_generator")
def export_generator(cfg: DictConfig) -> None:
    """Export a generator, and print the errors of its files and how to load it."""
    whole_number("images", cfg.images, 1)
    source = str(cfg.generator or newest(cfg.out, "learn_views", "generator"))
    folder = export_folder(cfg, source)
    g = load_generator(source)
    for name in plain(cfg.formats) or ():
        check_format(name, g)
    for name, format in FORMATS.items():
        if cfg.formats is None and format.default and (packages := missing_packages(name)):
            print(f"{name} is left out, for lack of packages; pip install {packages}")
    images, data = _sample(cfg, source, g)
    with show_work("writing and verifying files"):
        export(source, folder, plain(cfg.formats), images, data)
    exports = artifact.read_card(folder, "generator").get("exports", {})
    for file, record in exports.items():
        print(f"{file}: largest error {record['max_error']:.1e}")
    show("exported to", folder)
    print("next: infomin.load_generator(PATH) in Python, or open card.html in a browser")


def _sample(cfg: DictConfig, source: str, g: ViewGenerator) -> tuple[Images, str]:
    """Return the images that every file is verified on, and their source in words."""
    size = cfg.budget.size
    if not is_told(cfg) and not data_of_run(source):
        if not (g.takes_8_bit_colors and g.channel_names == RGB):
            training = artifact.read_card(generator_folder(source), "generator")["training"]
            images, data = random_images(g, training, cfg.images, size)
            print(f"generator {source}: verified on {data}; data=... verifies on your own images")
            return images, data
        with open_dict(cfg):
            cfg.data = cfg.photographs
    data = read_data(cfg, source, g)
    print(origin("generator", source, data.name))
    data.check_images(f"generator: {source}", g.channels, g.value_range, g.channel_names)
    return sample_images(data, cfg.images, data.size), data.name
