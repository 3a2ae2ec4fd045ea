"""Judge a pretrained encoder by semantic segmentation: a small decoder on frozen feature maps.

    python scripts/segment.py pretrained=runs/pretrain/RUN/encoder data.root=PATH
    python scripts/segment.py pretrained=... data.root=PATH data.channels=rgb

PATH is that of NYU Depth V2. Minutes on two cores with budget=small.
"""

from omegaconf import DictConfig

from infomin.cli.main import command, instantiate, open_run, origin, plain
from infomin.evaluation.segmentation import Segmentation
from infomin.experiments.segments import segmentation_picture
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.folder import newest
from infomin.training.distributed import make_fabric

SHOWN = 6
"""Test frames in the picture."""


@command("segment")
def segment(cfg: DictConfig) -> None:
    """Load, train the decoder, judge and report."""
    # Encoder and frames
    settings = instantiate(cfg.segment)
    folder = cfg.pretrained or newest(cfg.out, "pretrain", "encoder")
    pretrained = load_encoder(folder)
    views = pretrained.views
    frames = instantiate(cfg.data)
    print(origin("encoder", folder, frames.images.name))
    names = pretrained.channel_names
    frames.images.suits(f"encoder: {folder}", views.channels, views.value_range, names)
    pretrained = pretrained.only(plain(cfg.only_views))
    views = pretrained.views

    # The decoder
    fabric = make_fabric(cfg.device, 1, cfg.precision)
    learner = Segmentation(pretrained, frames, settings, fabric)
    run = open_run(cfg, "segment", f"{views}-s{cfg.seed}")
    for _ in run.follow(learner, f"segment {views}", cfg.save_every):
        pass

    # Report
    judged = learner.evaluate()
    images = frames.images.test.images
    some = slice(None, None, max(1, len(images) // SHOWN))
    shown = [part[some][:SHOWN] for part in (images, frames.test)]
    guess = learner.predict(shown[0])
    title = f"{views}, mean IoU {judged['mean_iou']:.1%}"
    drawn = segmentation_picture(*shown, guess, frames.classes, title)
    picture = run.picture("segmentation", drawn)
    run.finish({"encoder": str(folder), "data": frames.images.name, "views": str(views)} | judged)
    for name, what in (("mean_iou", "mean IoU"), ("pixel_accuracy", "pixel accuracy")):
        print(f"{what} {judged[name]:.1%}, chance {judged['chance'][name]:.1%}")
    print(f"protocol: {judged['protocol']}\npicture: {picture}")
