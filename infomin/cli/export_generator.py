"""Put a learned generator into other people's hands: weights, card, pictures, and their formats.

    python scripts/export_generator.py out=FOLDER
    python scripts/export_generator.py out=FOLDER generator=PATH 'formats=[torch_export,onnx]'

About a minute on two cores. Every format is verified on real images: built-in photographs for three
channels, others with data=image_folder data.root=PATH.
"""

from omegaconf import DictConfig

from infomin import load_generator
from infomin.augment import resize
from infomin.cli.main import build, main, plain, taken
from infomin.core.errors import InputError, at_least
from infomin.export import export
from infomin.runs.folder import newest


@main("export_generator")
def export_generator(cfg: DictConfig) -> None:
    """Export and say how exact each file is."""
    if cfg.out is None:
        raise InputError("out: expected the new folder, such as out=my_generator, got none")
    at_least("images", cfg.images, 1)
    source = cfg.generator or newest(cfg.runs, "learn_views", "generator")
    data = build(cfg.data)
    data.needs_all("an export")
    g = load_generator(source)
    print(taken("generator", source, data.name))
    data.suits(f"generator: {source}", g.channels, g.value_range, g.channel_names)
    chosen = data.test.images[:: max(1, len(data.test) // cfg.images)][: cfg.images]
    folder = export(source, cfg.out, plain(cfg.formats), resize(chosen, data.size), data.name)
    print(f"exported to {folder}")
