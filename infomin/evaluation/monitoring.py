"""Metrics of encoders while they train: geometry of embeddings and features, kNN, a linear probe.

They are a function of the encoders alone: the same images with the same crops, in evaluation mode,
with random numbers of their own. So monitoring changes no number of a training, and a resumed
training measures what an uninterrupted one would have measured.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from infomin.core import rng
from infomin.core.errors import whole_number
from infomin.data import DataSet, ImageSet
from infomin.data.missing_views import FEWEST, having
from infomin.evaluation.evaluate import knn_accuracy
from infomin.evaluation.features import extract, held_out_embeddings
from infomin.evaluation.linear_probe import linear_probe
from infomin.evaluation.representation_metrics import (
    alignment,
    deviation,
    effective_rank,
    uniformity,
)
from infomin.training.trainer import Metrics, Trainer


@dataclass(frozen=True)
class MonitorSettings:
    """Numbers of the monitoring.

    Attributes:
        every: epochs between two measurements; the last step is always measured. 0 never measures.
        images: number of held-out images, and of training images for kNN and the probe, at most.
        neighbours: k of kNN, at most the number of training images.
    """

    every: int = 5
    images: int = 256
    neighbours: int = 20

    def __post_init__(self) -> None:
        whole_number("monitor.every", self.every, 0)
        whole_number("monitor.images", self.images, 16)
        whole_number("monitor.neighbours", self.neighbours, 1)


class Monitor:
    """Measures the encoders of a trainer.

    Without labels there are no kNN and no probe. A method that does not train embeddings has
    metrics of features only.

    Arguments:
        data: as the views of the trainer see it; see `DataSet.with_views`.
        tap: layer of the backbones where features are read; None is the last.

    Attributes:
        steps: numbers of finished steps after which to measure.
    """

    def __init__(
        self,
        trainer: Trainer,
        data: DataSet,
        settings: MonitorSettings | None = None,
        tap: str | None = None,
    ) -> None:
        self.trainer, self.tap = trainer, tap
        self.encoders = trainer.method.encoders
        self.settings = settings or MonitorSettings()
        steps, every = trainer.steps, self.settings.every * trainer.loader.batches.per_epoch
        self.steps = {*range(every, steps, every), steps} if every else set()
        train, test = data.train.labelled(), data.test.labelled()
        self.train = self._some(train, "train")
        several = len(self.train) >= 10 and len(torch.unique(self.train.labels)) >= 2
        self.has_labels = several and len(test) > 0
        self.test = self._some(test if self.has_labels else data.test, "test")

    def measure(self, metrics: Metrics) -> Metrics:
        """Measure the encoders; return nothing where embeddings or features are not finite.

        Arguments:
            metrics: of the last step, for its I_NCE.

        Returns:
            epoch: number of finished epochs.
            alignment: mean over pairs of views; uniformity_1, deviation_1, rank_1, ...: of the
                embeddings of each view. directions: largest possible rank.
            i_nce, log_k: of the last step, in nats, for methods with negatives.
            feature_rank, feature_deviation, feature_directions: of the features of all encoders,
                side by side.
            knn, probe: held-out accuracies, shares.
        """
        trainer, loader = self.trainer, self.trainer.loader
        result: Metrics = {"epoch": trainer.step / loader.batches.per_epoch}
        if trainer.method.trains_embeddings:
            images, seed = self.test.source, trainer.settings.seed
            z = held_out_embeddings(loader.views, self.encoders, images, loader.augment, seed)
            if not all(of_view.isfinite().all() for of_view in z):
                return {}
            result |= self._of_embeddings(z)
            if "i_nce" in metrics:
                result |= {"i_nce": metrics["i_nce"], "log_k": trainer.cap}
        features = self._features(self.test)
        if not features.isfinite().all():
            return {}
        result |= {
            "feature_rank": effective_rank(features),
            "feature_deviation": deviation(features),
            "feature_directions": float(min(features.shape)),
        }
        return result | (self._scores(features) if self.has_labels else {})

    def _of_embeddings(self, z: tuple[Tensor, ...]) -> Metrics:
        """Measure embeddings, of each view those of the images that have it."""
        mask, n = self.test.view_mask, len(self.test)
        pairs = [(i, j, having(mask, n, i, j)) for j in range(len(z)) for i in range(j)]
        aligned = [alignment(z[i][both], z[j][both]) for i, j, both in pairs if both.any()]
        result = {"alignment": sum(aligned) / len(aligned)} if aligned else {}
        result["directions"] = float(min(len(self.test), z[0].shape[1]))
        for i, of_view in enumerate(z, 1):
            of_view = of_view[having(mask, n, i - 1)]
            if len(of_view) >= FEWEST:
                result[f"uniformity_{i}"] = uniformity(of_view)
                result[f"deviation_{i}"] = deviation(of_view)
                result[f"rank_{i}"] = effective_rank(of_view)
        return result

    def _scores(self, features: Tensor) -> Metrics:
        """Return the accuracy of kNN and of a probe on features."""
        bank, labels = self._features(self.train), self.train.labels.cpu()
        truth, settings = self.test.labels.cpu(), self.settings
        probe = linear_probe(bank, labels, features, truth, seed=self.trainer.settings.seed)
        k = min(settings.neighbours, len(bank))
        return {"knn": knn_accuracy(bank, labels, features, truth, k), "probe": probe.test}

    def _features(self, images: ImageSet) -> Tensor:
        views, mask = self.trainer.loader.views, images.view_mask
        return extract(views, self.encoders, images.source, self.tap, view_mask=mask)

    def _some(self, images: ImageSet, name: str) -> ImageSet:
        """Return a sample of the images, always the same, on the device of the encoders."""
        generator = rng.generator(self.trainer.settings.seed, "monitor", name)
        order = torch.randperm(len(images), generator=generator)[: self.settings.images]
        return images.subset(order.sort().values).to(self.trainer.fabric.device)


def line(measured: Metrics) -> str:
    """Return measurements as one line."""
    parts = [f"epoch {measured['epoch']:g}"]
    if "alignment" in measured:
        parts.append(f"alignment {measured['alignment']:.2f}")
    for name, digits in (("uniformity", 2), ("deviation", 2), ("rank", 0)):
        values = [v for key, v in measured.items() if key.startswith(f"{name}_")]
        if values:
            of = f" of {measured['directions']:.0f}" if name == "rank" else ""
            parts.append(f"{name} {'/'.join(f'{v:.{digits}f}' for v in values)}{of}")
    if "i_nce" in measured:
        share = (measured["log_k"] - measured["i_nce"]) / measured["log_k"]
        parts.append(f"loss {share:.0%} of log K")
    of = f" of {measured['feature_directions']:.0f}" if "feature_directions" in measured else ""
    parts.append(f"features rank {measured['feature_rank']:.0f}{of}")
    accuracies = {"kNN": "knn", "probe": "probe"}
    parts += [f"{n} {measured[key]:.1%}" for n, key in accuracies.items() if key in measured]
    return " | ".join(parts)
