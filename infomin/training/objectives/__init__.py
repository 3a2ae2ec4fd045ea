"""What encoders are trained by: a loss over pairs of views, and where its negatives come from."""

from infomin.training.objectives.banked import Banked
from infomin.training.objectives.base import Embedded, Objective, Told
from infomin.training.objectives.build import MEMORIES, build_objective
from infomin.training.objectives.contrasts import CONTRASTS
from infomin.training.objectives.in_batch import InBatch
from infomin.training.objectives.queued import Queued

__all__ = [
    "CONTRASTS",
    "MEMORIES",
    "Banked",
    "Embedded",
    "InBatch",
    "Objective",
    "Queued",
    "Told",
    "build_objective",
]
