"""Puzzles beside the views, from their configuration."""

from cli import plain
from omegaconf import DictConfig

from infomin.augment import JigSaw
from infomin.encoders import Towers
from infomin.errors import InputError
from infomin.losses import PREDICTIVE
from infomin.training.jigsaw import JigSawBranch
from infomin.views import View


def make_jigsaw(cfg: DictConfig, views: View, towers: Towers) -> JigSawBranch | None:
    """Make the JigSaw branch, where it is asked for."""
    if "jigsaw" not in cfg:
        return None
    if cfg.loss.name in PREDICTIVE:
        raise InputError(
            f"jigsaw: expected none with loss={cfg.loss.name}, puzzles are contrasted; set "
            "jigsaw=none, or loss=infonce"
        )
    options = plain(cfg.jigsaw)
    beta = options.pop("beta")
    return JigSawBranch(JigSaw(cfg.encoder.size, **options), towers, views, beta, cfg.seed)
