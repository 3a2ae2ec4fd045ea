"""The training loops of the commands with `budget=small`, from `conf/`."""

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor

from infomin.data import Batches, DataSet, ViewLoader
from infomin.generator import ViewGenerator
from infomin.methods import Context
from infomin.methods.cmc import CMC
from infomin.models import Encoders, build_encoders
from infomin.training.distributed import make_fabric
from infomin.training.trainer import MakeOptimizer, Trainer
from infomin.training.view_game import Game
from infomin.views import View

_CONF = Path(__file__).resolve().parent.parent / "conf"
_ENDLESS = 1_000_000  # steps or epochs: a measurement never reaches the end of a schedule


def config(script: str, *overrides: str) -> DictConfig:
    """Return the configuration of a command."""
    with initialize_config_dir(str(_CONF), version_base="1.3"):
        return compose(script, ["budget=small", *overrides])


def generator() -> ViewGenerator:
    """Return the first view generator of `learn_views`."""
    return ViewGenerator(flow=_plain(config("learn_views").flow))


def encoders(*view_channels: int) -> Encoders:
    """Build the encoders of `pretrain`, one per view."""
    return build_encoders(view_channels=view_channels, **_plain(config("pretrain").encoder))


def optimizer() -> MakeOptimizer:
    """Return the optimiser of `pretrain`, which takes parameters."""
    make: MakeOptimizer = _build(config("pretrain").optimizer)
    return make


def pretraining(views: View, images: Tensor, precision: str = "auto", *overrides: str) -> Trainer:
    """Return the training loop of `pretrain` with `method=cmc`."""
    cfg = config("pretrain", f"pretrain.epochs={_ENDLESS}", *overrides)
    settings = _build(cfg.pretrain)
    context = Context(len(images), settings.batch, settings.temperature, chunk=settings.chunk)
    method = CMC(encoders(*views.view_channels), context)
    batches = Batches(len(images), settings.batch, settings.seed, "pretrain", "pretrain.batch")
    loader = ViewLoader(images, batches, _build(cfg.augment), views, method.views)
    fabric = make_fabric("cpu", precision=precision)
    return Trainer(method, loader, optimizer(), settings, fabric)


def game(mode: str, data: DataSet) -> Game:
    """Return the training loop of `learn_views`."""
    cfg = config("learn_views", f"mode={mode}", f"game.steps={_ENDLESS}")
    g, net = generator(), _plain(cfg.estimator)
    f = build_encoders(view_channels=g.view_channels, **net)
    net["dim"] = len(data.classes)
    c = build_encoders(view_channels=g.view_channels, normalize=False, **net)
    labelled = _build(cfg.labels, data.train.labels)
    settings, augment = _build(cfg.game), _build(cfg.augment)
    fabric = make_fabric("cpu", precision=cfg.precision)
    return Game(g, cfg.crops, f, c, data.train, labelled, augment, settings, fabric)


def _build(node: DictConfig, *arguments: Any) -> Any:
    return instantiate(node, *arguments, _convert_="all")


def _plain(node: DictConfig) -> dict[str, Any]:
    plain: Any = OmegaConf.to_container(node, resolve=True)
    return plain
