"""Export a pretrained ResNet for torchvision and timm, without this package.

    infomin export-encoder
    infomin export-encoder folder=FOLDER pretrained=runs/pretrain/RUN/encoder formats=[pt]

Seconds on two cores. Every file is loaded into torchvision's network and compared on real images:
those of the encoder's run, or yours with data=image_folder data.root=PATH.
"""

from omegaconf import DictConfig

from infomin.cli.main import command, export_folder, plain, show
from infomin.cli.read_data import read_data, sample_images
from infomin.core.errors import at_least
from infomin.core.files import read_json
from infomin.export import encoder as export
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.lookup import newest
from infomin.runs.progress import show_work


@command("export_encoder")
def export_encoder(cfg: DictConfig) -> None:
    """Export an encoder and print the error of each file."""
    at_least("images", cfg.images, 1)
    source = cfg.pretrained or newest(cfg.out, "pretrain", "encoder")
    folder = export_folder(cfg, source)
    encoder = load_encoder(source)
    export.check_networks(encoder)
    data = read_data(cfg, source, encoder)
    images = sample_images(data, cfg.images, encoder.size)
    with show_work("writing and verifying files"):
        export.export_encoder(source, folder, plain(cfg.formats), images, data.name)
    for part in read_json(folder / "card.json")["encoders"]:
        for file, facts in part["files"].items():
            print(f"{file}: {part['input']}; largest error {facts['max_error']:.1e}")
    show("exported to", folder)
    print("next: README.md in that folder has the lines that load each file")
