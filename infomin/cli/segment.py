"""Evaluate a pretrained encoder by semantic segmentation: a small decoder on frozen maps.

    infomin segment pretrained=runs/pretrain/RUN/encoder data.root=PATH
    infomin segment pretrained=... data.root=PATH data.channels=rgb

PATH is that of NYU Depth V2. Minutes on two cores with budget=small.
"""

from omegaconf import DictConfig

from infomin.cli.main import (
    command,
    instantiate,
    open_run,
    origin,
    plain,
    report_command,
    show,
)
from infomin.cli.read_data import data_of_run, is_told, read_data
from infomin.evaluation.segmentation import Segmentation
from infomin.experiments.evaluation_figures import segmentation_picture
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.lookup import newest
from infomin.runs.progress import show_work
from infomin.training.distributed import make_fabric

SHOWN = 6
"""Test frames in the picture."""


@command("segment")
def segment(cfg: DictConfig) -> None:
    """Load an encoder, train the decoder, evaluate and report."""
    settings = instantiate(cfg.segment)
    folder = cfg.pretrained or newest(cfg.out, "pretrain", "encoder")
    encoder = load_encoder(folder)
    known = data_of_run(folder) or {}
    if known.get("_target_") == "infomin.data.nyuv2" and not is_told(cfg):
        cfg.data.root, cfg.data.channels = known["root"], known["channels"]
    frames = read_data(cfg)
    name = frames.images.name
    print(origin("encoder", folder, name))
    frames.images.check_images(
        f"encoder: {folder}", encoder.channels, encoder.value_range, encoder.channel_names
    )
    encoder = encoder.only(plain(cfg.only_views))
    views = encoder.views

    fabric = make_fabric(cfg.device, 1, cfg.precision)
    loop = Segmentation(encoder, frames, settings, fabric)
    run = open_run(cfg, "segment", f"{views}-s{cfg.seed}")
    for _ in run.follow(loop, f"segment {views}", cfg.save_every):
        pass

    with show_work("measuring on test frames"):
        scores = loop.evaluate()
    images = frames.images.test.spread(SHOWN)
    step = max(1, len(frames.images.test) // SHOWN)
    labels = frames.test[::step][:SHOWN]
    title = f"{views}, mean IoU {scores['mean_iou']:.1%}"
    figure = segmentation_picture(images, labels, loop.predict(images), frames.classes, title)
    picture = run.save_picture("segmentation", figure)
    path = run.finish({"encoder": str(folder), "data": name, "views": str(views)} | scores)
    for key, label in (("mean_iou", "mean IoU"), ("pixel_accuracy", "pixel accuracy")):
        print(f"{label} {scores[key]:.1%}, chance {scores['chance'][key]:.1%}")
    print(f"protocol: {scores['protocol']}")
    show("picture", picture)
    show("result", path)
    print(f"next: {report_command(cfg)}")
