"""What the cells of a grid of pretrainings recorded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infomin.core import files
from infomin.experiments.grid.cells import Cell
from infomin.experiments.grid.running import newest

SCORES = {
    "top1": "linear probe, top-1 %",
    "mean_iou": "segmentation, mean IoU %",
}
"""What encoders are judged by, and its name on an axis."""
WORDS = {"top1": "accuracy", "mean_iou": "mean IoU"}
"""The same in a sentence."""


@dataclass(frozen=True)
class Record:
    """What a finished cell left behind: results, provenance, and the picture of its views.

    `judged` is the result of the evaluation: that of the pretraining, or on other data.
    """

    cell: Cell
    pretraining: Mapping[str, Any]
    judged: Mapping[str, Any]
    game: Mapping[str, Any] | None
    provenance: Mapping[str, Any]
    picture: Path

    @property
    def minutes(self) -> float:
        """Wall time of game, pretraining and an evaluation elsewhere."""
        apart = [] if self.judged is self.pretraining else [self.judged]
        games = [self.game] if self.game else []
        return sum(float(run["seconds"]) for run in (*games, self.pretraining, *apart)) / 60

    @property
    def i_nce(self) -> float | None:
        """That of the pretrained encoders on held-out images, in nats.

        None where encoders were left as they were, or trained by prediction.
        """
        told = self.pretraining["i_nce"]
        return float(told["value"]) if told else None

    @property
    def cap(self) -> float | None:
        """Its log K."""
        told = self.pretraining["i_nce"]
        return float(told["cap"]) if told else None

    @property
    def judged_by(self) -> str:
        """Which of `SCORES` there is."""
        return next(name for name in SCORES if name in self.judged)

    @property
    def score(self) -> float:
        """It, a share of 1."""
        return float(self.judged[self.judged_by])

    @property
    def chance(self) -> float:
        """The score of a guess that does not look."""
        told = self.judged["chance"]
        return float(told[self.judged_by] if isinstance(told, Mapping) else told)

    def __str__(self) -> str:
        name = SCORES[self.judged_by].removesuffix(" %")
        shared = "" if self.i_nce is None else f"I_NCE {self.i_nce:.2f}, "
        return f"{name} {self.score:.1%}, {shared}{self.minutes:.1f} min"


def read(cell: Cell, judge: str | None = None) -> Record:
    """Read what a finished cell recorded.

    Arguments:
        cell: which one.
        judge: the evaluation it is judged by, `linear_eval` or `segment`; None is that of the
            pretraining itself.
    """
    pretraining = newest(cell.folder / "pretrain")
    played = cell.player.folder / "learn_views"
    game = files.read_json(newest(played)) if cell.learned else None
    provenance = files.read_json(pretraining.parent / "provenance.json")
    picture = pretraining.parent / "pictures" / "views.png"
    result = files.read_json(pretraining)
    judged = files.read_json(newest(cell.folder / judge)) if judge else result
    return Record(cell, result, judged, game, provenance, picture)
