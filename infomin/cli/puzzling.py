"""Puzzles beside the views, from their configuration."""

from omegaconf import DictConfig

from infomin.augment import JigSaw
from infomin.cli.main import plain
from infomin.core.errors import InputError, blamed_on
from infomin.losses import PREDICTIVE
from infomin.models import Encoders
from infomin.training.jigsaw import JigSawBranch, weight
from infomin.views import View


def make_jigsaw(cfg: DictConfig, views: View, encoders: Encoders) -> JigSawBranch | None:
    """Make the JigSaw branch, where it is asked for."""
    puzzles = make_puzzles(cfg)
    return puzzles and JigSawBranch(puzzles, encoders, views, cfg.jigsaw.beta, cfg.seed)


def make_puzzles(cfg: DictConfig) -> JigSaw | None:
    """Make what cuts puzzles, where they are asked for."""
    if "jigsaw" not in cfg:
        return None
    if cfg.loss.name in PREDICTIVE:
        raise InputError(
            f"jigsaw: expected none with loss={cfg.loss.name}, puzzles are contrasted; set "
            "jigsaw=none, or loss=infonce"
        )
    options = plain(cfg.jigsaw)
    weight(options.pop("beta"))
    with blamed_on("jigsaw"):
        return JigSaw(cfg.encoder.size, **options)
