"""What encoders are trained by: a loss over pairs of views, and where its negatives come from."""

from infomin.methods.objectives.banked import Banked
from infomin.methods.objectives.base import Embedded, Objective, Told
from infomin.methods.objectives.build import MEMORIES, build_objective
from infomin.methods.objectives.contrasts import CONTRASTS
from infomin.methods.objectives.in_batch import InBatch
from infomin.methods.objectives.queued import Queued

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
