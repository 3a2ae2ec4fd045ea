"""Encoders looked at while they train: what their embeddings and features have become, so far.

Every look is a function of the encoders alone: it takes the same images with the same crops, in
evaluation mode, draws from generators of its own, and changes nothing. So a training that is
watched ends in the very numbers of one that is not, and a resumed one sees what it would have seen.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infomin.core import presence, rng
from infomin.core.errors import whole_number
from infomin.data import DataSet, ImageSet
from infomin.evaluation import representation_metrics as geometry
from infomin.evaluation.features import extract, held_out_embeddings
from infomin.evaluation.knn import knn_accuracy
from infomin.evaluation.linear_probe import linear_probe
from infomin.training.contrastive import Pretraining
from infomin.training.learner import Metrics
from infomin.training.predictive import Prediction


@dataclass(frozen=True)
class MonitorSettings:
    """When to look, and at how much.

    Attributes:
        every: epochs from one look to the next; the last step is always looked at. 0 never looks.
        images: held-out images looked at, and training images that kNN and the probe learn from,
            at most.
        neighbours: k of kNN, at most the number of these.
        epochs: of the probe, which has one setting; scores tell a course, not a result.
    """

    every: int = 5
    images: int = 256
    neighbours: int = 20
    epochs: int = 8

    def __post_init__(self) -> None:
        whole_number("monitor.every", self.every, 0)
        whole_number("monitor.images", self.images, 16)
        whole_number("monitor.neighbours", self.neighbours, 1)
        whole_number("monitor.epochs", self.epochs, 1)


class Monitor:
    """Looks at the encoders of a pretraining.

    Without labels there are no kNN and no probe. Prediction leaves embeddings as they start, so
    of its encoders only features are looked at.

    Arguments:
        learner: whose encoders; unchanged by a look.
        data: as its views see it; see `DataSet.seen`.
        size: side of the images that the encoders take.
        settings: the numbers.
        tap: of the backbones, where features are read; None is the last.
    """

    def __init__(
        self,
        learner: Pretraining,
        data: DataSet,
        size: int,
        settings: MonitorSettings | None = None,
        tap: str | None = None,
    ) -> None:
        self.learner, self.size, self.tap = learner, size, tap
        self.settings = settings or MonitorSettings()
        train, test = data.train.labelled(), data.test.labelled()
        self.train = self._some(train, "train")
        judged = len(self.train) >= 10 and len(torch.unique(self.train.labels)) >= 2
        self.judged = judged and len(test) > 0
        self.test = self._some(test if self.judged else data.test, "test")

    def due(self, step: int) -> bool:
        """Tell whether it is time to look, so many steps being done."""
        every = self.settings.every * self.learner.batches.per_epoch
        return bool(every) and (step % every == 0 or step == self.learner.steps)

    def look(self, metrics: Metrics) -> Metrics:
        """Measure; empty where embeddings are not finite, which the next loss will tell.

        Arguments:
            metrics: of the step before, for its I_NCE.

        Returns:
            epoch: epochs that are done.
            alignment: mean over pairs of views; uniformity_1, deviation_1, rank_1, ...: of the
                embeddings of each view; see `geometry`. directions: the most rank can be.
            i_nce, log_k: of the step before, nats.
            feature_rank, feature_deviation, feature_directions: of the features of all encoders,
                side by side.
            knn, probe: held-out accuracies, shares.
        """
        learner, images = self.learner, self.test.images
        found: Metrics = {"epoch": learner.step / learner.batches.per_epoch}
        if not isinstance(learner, Prediction):
            z = held_out_embeddings(
                learner.views,
                learner.encoders,
                images,
                learner.augment,
                learner.settings.seed,
                present=self.test.present,
            )
            if not all(of_view.isfinite().all() for of_view in z):
                return {}
            found |= self._of_embeddings(z)
            found |= {"i_nce": metrics["i_nce"], "log_k": learner.cap}
        features = self._features(self.test)
        if not features.isfinite().all():
            return {}
        found |= {
            "feature_rank": geometry.effective_rank(features),
            "feature_deviation": geometry.deviation(features),
            "feature_directions": float(min(features.shape)),
        }
        return found | (self._scores(features) if self.judged else {})

    def _of_embeddings(self, z: tuple[Tensor, ...]) -> Metrics:
        """Measure embeddings, of each view those images that have it."""
        present = self.test.present
        pairs = [(i, j) for j in range(len(z)) for i in range(j)]
        met = [(z[i], z[j], presence.both(present, i, j)) for i, j in pairs]
        aligned = [
            geometry.alignment(presence.chosen(a, who), presence.chosen(b, who))
            for a, b, who in met
            if who is None or len(who)
        ]
        found = {"alignment": sum(aligned) / len(aligned)} if aligned else {}
        found["directions"] = float(min(len(self.test), z[0].shape[1]))
        for i, of_view in enumerate(z, 1):
            of_view = presence.chosen(of_view, presence.having(present, i - 1))
            if len(of_view) >= presence.FEWEST:
                found[f"uniformity_{i}"] = geometry.uniformity(of_view)
                found[f"deviation_{i}"] = geometry.deviation(of_view)
                found[f"rank_{i}"] = geometry.effective_rank(of_view)
        return found

    def _scores(self, features: Tensor) -> Metrics:
        """Judge features by kNN and a probe, as they are at the moment."""
        bank, labels = self._features(self.train), self.train.labels.cpu()
        held = (features, self.test.labels.cpu())
        settings, seed = self.settings, self.learner.settings.seed
        k = min(settings.neighbours, len(bank))
        probe = linear_probe(
            bank,
            labels,
            *held,
            rates=(2e-3,),
            decays=(3.0,),
            epochs=settings.epochs,
            batch=128,
            seed=seed,
        )
        return {"knn": knn_accuracy(bank, labels, *held, k), "probe": probe.test}

    def _features(self, images: ImageSet) -> Tensor:
        encoders = self.learner.encoders
        told = (images.images, self.size, self.tap)
        return extract(self.learner.views, encoders, *told, present=images.present)

    def _some(self, images: ImageSet, name: str) -> ImageSet:
        """Return so many of the images, the same in every look, on the device of the encoders."""
        generator = rng.generator(self.learner.settings.seed, "monitor", name)
        order = torch.randperm(len(images), generator=generator)[: self.settings.images]
        return images.part(order.sort().values).to(self.learner.fabric.device)


def line(found: Metrics) -> str:
    """Return what a look found, as one line."""
    parts = [f"epoch {found['epoch']:g}"]
    if "alignment" in found:
        parts.append(f"alignment {found['alignment']:.2f}")
    for name, digits, of in (
        ("uniformity", 2, ""),
        ("deviation", 2, ""),
        ("rank", 0, "directions"),
    ):
        values = [v for key, v in found.items() if key.startswith(f"{name}_")]
        if values:
            told = "/".join(f"{v:.{digits}f}" for v in values)
            parts.append(f"{name} {told}" + (f" of {found[of]:.0f}" if of else ""))
    if "i_nce" in found:
        share = (found["log_k"] - found["i_nce"]) / found["log_k"]
        parts.append(f"loss {share:.0%} of log K")
    of = f" of {found['feature_directions']:.0f}" if "feature_directions" in found else ""
    parts.append(f"features rank {found['feature_rank']:.0f}{of}")
    parts += [
        f"{name} {found[key]:.1%}"
        for name, key in (("kNN", "knn"), ("probe", "probe"))
        if key in found
    ]
    return " | ".join(parts)
