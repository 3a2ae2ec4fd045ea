"""The numbers of a game; all that the papers leave open has a name here."""

from collections.abc import Sequence
from dataclasses import dataclass

from infomin.core.errors import InputError, at_least, one_of, positive
from infomin.training.schedule import SCHEDULES

MODES = ("unsup", "semi", "sup")
UNSUPERVISED = {"estimator_steps": 2, "lr_g": 5e-4}
"""No labels hold g, so f has to keep up: at 2e-3 g fools f instead of taking something away."""
SUPERVISED = {"estimator_steps": 1, "lr_g": 2e-3}


@dataclass(frozen=True)
class GameSettings:
    """Numbers of a game.

    Attributes:
        mode: `unsup`, `semi` or `sup`.
        steps: of g.
        estimator_steps: steps of f for each step of g, each on a fresh batch; 0 is 1, or 2 without
            labels.
        batch: images for I_NCE, over all processes; K.
        labelled_batch: images for CE, over all processes.
        temperature: tau of the cosine critic.
        info_weight: of I_NCE in g's objective.
        class_weights: of CE, one a view; the last stands for all further views.
        final_class: share of these weights that is left in the end, falling as a cosine: labels
            decide early which solution g goes to, and leave it to I_NCE to finish.
        class_until: share of the steps after which they have fallen; I_NCE has the rest of the
            game, while g's rate is still high.
        lr_f, lr_g, lr_c: learning rates of estimators, generator, classifiers. An lr_g of 0 is
            2e-3, or 5e-4 without labels.
        betas: of Adam, for all players.
        schedule: `constant`, `cosine` or `steps` (x 0.2 at 60 and 80 %), for all players.
        final_f: share of the peak that f keeps at the end of a cosine, so that it never lags.
        warmup_g: share of the steps in which the rate of g rises: f is untrained at first, and g
            would follow noise.
        average: decay of the running mean of g's weights that is returned; 0 returns the last.
        seed: of order and crops.
    """

    mode: str = "semi"
    steps: int = 1200
    estimator_steps: int = 0
    batch: int = 128
    labelled_batch: int = 64
    temperature: float = 0.1
    info_weight: float = 1.0
    class_weights: Sequence[float] = (30.0, 1.0)
    final_class: float = 0.02
    class_until: float = 0.35
    lr_f: float = 1e-3
    lr_g: float = 0.0
    lr_c: float = 1e-3
    betas: Sequence[float] = (0.5, 0.999)
    schedule: str = "cosine"
    final_f: float = 0.1
    warmup_g: float = 0.4
    average: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("mode", self.mode, MODES)
        for name in ("class_weights", "betas"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, value in (UNSUPERVISED if self.mode == "unsup" else SUPERVISED).items():
            if getattr(self, name) == 0:
                object.__setattr__(self, name, value)
        one_of("schedule", self.schedule, SCHEDULES)
        for name in ("steps", "estimator_steps", "labelled_batch"):
            at_least(name, getattr(self, name), 1)
        for name in ("lr_f", "lr_g", "lr_c", "temperature"):
            positive(name, getattr(self, name))
        if self.batch < 2:
            raise InputError(f"batch: InfoNCE needs at least 2 images, got {self.batch}")
        if not 0 <= self.warmup_g < 1:
            raise InputError(f"warmup_g: expected a share within [0, 1), got {self.warmup_g}")
        if not 0 < self.class_until <= 1:
            raise InputError(f"class_until: expected a share within (0, 1], got {self.class_until}")
        if not 0 <= self.average < 1:
            raise InputError(f"average: expected a decay within [0, 1), got {self.average}")
        if not self.class_weights:
            raise InputError("class_weights: expected one weight a view, got none")

    @property
    def informed(self) -> bool:
        """Whether I_NCE is part of the game."""
        return self.mode != "sup"

    @property
    def classified(self) -> bool:
        """Whether labels are part of the game."""
        return self.mode != "unsup"
