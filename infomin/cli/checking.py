"""Options that are wrong whatever the data, refused before the first image is read."""

from omegaconf import DictConfig

from infomin.cli.augmenting import make_crops
from infomin.cli.main import build, plain
from infomin.cli.puzzling import make_puzzles
from infomin.core.errors import one_of
from infomin.losses import PREDICTIVE
from infomin.methods.objectives import CONTRASTS, build_objective
from infomin.models import build_encoders


def check(cfg: DictConfig) -> None:
    """Make what needs no data, and an objective of encoders as small as they can be.

    Raises:
        InputError: where one of them cannot be made.
    """
    make_crops(cfg)
    make_puzzles(cfg)
    build(cfg.monitor)
    settings, loss, memory = build(cfg.pretrain), plain(cfg.loss), plain(cfg.memory)
    one_of("loss", loss["name"], (*CONTRASTS, *PREDICTIVE))
    if loss["name"] in PREDICTIVE:
        return
    encoders = build_encoders("fourconv", [1, 1], size=1, dim=1, widths=[1], pools=0)
    negatives = memory.get("negatives")
    room = settings.batch + 1 + (negatives if isinstance(negatives, int) else 0)
    told = (room, settings.batch, settings.temperature, loss, memory, cfg.graph)
    objective = build_objective(encoders, *told)
    if cfg.devices == 1:  # of several processes each has a share
        objective.fits(slice(0, settings.batch), settings.chunk)
