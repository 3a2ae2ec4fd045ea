"""What encoders are pretrained by, contrast or prediction, and what it says of held-out images."""

from dataclasses import asdict
from typing import Any

from lightning_fabric import Fabric
from omegaconf import DictConfig
from torch import Tensor

from infomin import evaluation
from infomin.augment import Augment
from infomin.cli.main import build, plain
from infomin.cli.puzzling import make_jigsaw
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet
from infomin.losses import PREDICTIVE
from infomin.methods.objectives import build_objective
from infomin.models import Encoders
from infomin.runs.folder import Run
from infomin.runs.prediction_pictures import predictions_picture
from infomin.training.contrastive import ContrastiveSettings, Pretraining
from infomin.training.predictive import Prediction
from infomin.views import View


def make_learner(
    cfg: DictConfig,
    views: View,
    encoders: Encoders,
    data: DataSet,
    augment: Augment,
    settings: ContrastiveSettings,
    fabric: Fabric,
) -> Pretraining:
    """Make what trains encoders, by a contrast or by prediction."""
    loss, pairs = plain(cfg.loss), (cfg.graph, plain(cfg.pair_weights))
    images, present = data.train.images, data.train.present
    common = (views, encoders, images, augment, build(cfg.optimizer), settings, fabric)
    jigsaw = make_jigsaw(cfg, views, encoders)
    if loss["name"] in PREDICTIVE:
        if cfg.memory.kind != "none":
            raise InputError(
                f"memory: expected none with loss={loss['name']}, which has no negatives, got "
                f"{cfg.memory.kind}; set memory=none"
            )
        data.needs_all(f"loss={loss['name']}")
        learner = Prediction(*common, loss["name"], *pairs)
        learner.trains(cfg.probe.tap)
        return learner
    told = (len(images), settings.batch, settings.temperature, loss, plain(cfg.memory), *pairs)
    options = (cfg.seed, settings.chunk, present, jigsaw is not None)
    return Pretraining(*common, build_objective(encoders, *told, *options), jigsaw)


def held_out(learner: Pretraining, test: ImageSet, size: int) -> tuple[dict[str, Any], str]:
    """Return what a result tells of held-out images, and the line that says it.

    Embeddings that nothing trained, or prediction alone, are no estimate of I_NCE.
    """
    if isinstance(learner, Prediction):
        found = evaluation.prediction_errors(learner, test.images, size)
        told = f"{learner.name.upper()} error held out: {', '.join(map(str, found))}"
        return {"i_nce": None, "predictions": [each._asdict() for each in found]}, told
    settings, views = learner.settings, learner.views
    if not settings.epochs:
        return {"i_nce": None}, "nothing was trained: the I_NCE of these encoders says nothing"
    held = (test.images, learner.augment, settings.temperature, settings.batch)
    i_nce = evaluation.held_out_i_nce(views, learner.encoders, *held, present=test.present)
    result = {"i_nce": asdict(i_nce), "temperature": settings.temperature}
    which = ", of views 1 and 2" if len(views.view_channels) > 2 else ""
    return result, f"I_NCE held out{which}: {i_nce}"


def draw_predictions(
    run: Run, learner: Prediction, data: DataSet, images: Tensor, size: int
) -> None:
    """Draw what is predicted of some images beside what is there."""
    views, predicted = evaluation.foretell(learner, images, size)
    told = (f"{learner.views}, {learner.name.upper()}", data.channel_names, data.value_range)
    run.picture("predictions", predictions_picture(images.cpu(), views, predicted, *told))
