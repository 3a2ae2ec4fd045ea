"""Export a pretrained ResNet for those who have torchvision or timm, and nothing of ours.

    python scripts/export_encoder.py out=FOLDER
    python scripts/export_encoder.py out=FOLDER pretrained=runs/pretrain/RUN/encoder formats=[pt]

Seconds on two cores. Every file is loaded into torchvision's network and compared on real images:
built-in photographs for three channels, others with data=image_folder data.root=PATH.
"""

from omegaconf import DictConfig

from infomin.augment import resize
from infomin.cli.main import build, main, plain, taken
from infomin.core.errors import InputError, at_least
from infomin.core.files import read_json
from infomin.export import encoder as encoder_export
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.folder import newest
from infomin.views import LearnedViews


@main("export_encoder")
def export_encoder(cfg: DictConfig) -> None:
    """Export and say how exact each file is."""
    if cfg.out is None:
        raise InputError("out: expected the new folder, such as out=my_encoder, got none")
    at_least("images", cfg.images, 1)
    source = cfg.pretrained or newest(cfg.runs, "pretrain", "encoder")
    pretrained = load_encoder(source)
    views = pretrained.views
    data = build(cfg.data)
    data.needs_all("an export")
    print(taken("encoder", source, data.name))
    names = views.generator.channel_names if isinstance(views, LearnedViews) else None
    data.suits(f"encoder: {source}", views.channels, views.value_range, names)
    chosen = data.test.images[:: max(1, len(data.test) // cfg.images)][: cfg.images]
    images = resize(chosen, pretrained.size)
    folder = encoder_export.export_encoder(source, cfg.out, plain(cfg.formats), images, data.name)
    for encoder in read_json(folder / "card.json")["encoders"]:
        for file, told in encoder["files"].items():
            print(f"{file}: {encoder['input']}; largest error {told['max_error']:.1e}")
    print(f"exported to {folder}")
