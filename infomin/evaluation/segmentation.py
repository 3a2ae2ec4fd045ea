"""Semantic segmentation with a small decoder on the feature maps of frozen encoders.

The paper has a U-Net-like decoder of four layers and gives no more details. Here the input is the
feature maps of all encoders at the last tap of each resolution. The decoder starts with the
coarsest maps. Each level has a 3x3 convolution, is upsampled to the next finer maps and
concatenated with them. A 1x1 convolution gives logits at the finest resolution, which are
interpolated to the size of the labels. For backbones with three resolutions (FourConv, the small
AlexNet) these are four layers.
"""

import time
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int64, Integer
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.augment import as_float
from infomin.core import rng
from infomin.core.batching import take
from infomin.core.errors import InputError, positive, true_or_false, whole_number
from infomin.core.shapes import Images
from infomin.data import Batches, Frames
from infomin.data.nyuv2 import IGNORED
from infomin.models import Decoder, levels
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import Metrics, TrainingLoop


@dataclass(frozen=True)
class SegmentationSettings:
    """Settings of the training of a decoder.

    Attributes:
        epochs: passes over all training frames.
        batch: frames per step.
        rate: peak learning rate of Adam, with a cosine schedule to 0.
        width: channels of the decoder's layers.
        seed: of weights, order and flips.
        frozen: train the decoder alone; otherwise fine-tune a copy of the encoder with it.
    """

    epochs: int = 20
    batch: int = 16
    rate: float = 2e-3
    width: int = 64
    seed: int = 0
    frozen: bool = True

    def __post_init__(self) -> None:
        true_or_false("segment.frozen", self.frozen)
        for name in ("epochs", "batch", "width"):
            whole_number(f"segment.{name}", getattr(self, name), 1)
        positive("segment.rate", self.rate)


@dataclass(frozen=True)
class SegmentationScores:
    """Agreement of predicted and true labels, shares within [0, 1].

    Attributes:
        mean_iou: mean over the classes that are present in the truth.
        pixel_accuracy: share of correctly predicted pixels among the labelled ones.
        iou: of every class; None for absent classes.
    """

    mean_iou: float
    pixel_accuracy: float
    iou: tuple[float | None, ...]


def confusion_matrix(
    truth: Integer[Tensor, "*n"], prediction: Integer[Tensor, "*n"], classes: int
) -> Int64[Tensor, "k k"]:
    """Return the number of pixels by true class (rows) and predicted class (columns).

    Labels are 0..k-1. Pixels whose true label is `IGNORED` do not count.
    """
    known = truth != IGNORED
    pairs = truth[known].long() * classes + prediction[known].long()
    return torch.bincount(pairs, minlength=classes**2).view(classes, classes)


def segmentation_scores(counts: Int64[Tensor, "k k"]) -> SegmentationScores:
    """Return the scores of a confusion matrix, usually of the pixels of all frames together.

    The mean leaves out classes that are predicted but never true. Their pixels count as errors of
    the true classes.

    Raises:
        InputError: if no pixel has a label.
    """
    true, predicted, correct = counts.sum(1), counts.sum(0), counts.diagonal()
    if not true.sum():
        raise InputError("labels: expected a pixel with a label, got none")
    iou = correct.double() / (true + predicted - correct).clamp(min=1)
    present = true > 0
    by_class = tuple(v if p else None for v, p in zip(iou.tolist(), present.tolist(), strict=True))
    accuracy = (correct.sum().double() / true.sum()).item()
    return SegmentationScores(iou[present].mean().item(), accuracy, by_class)


class Segmentation(TrainingLoop):
    """Training of a decoder on the feature maps of an encoder, which is frozen by default.

    The given encoder stays unchanged. The only augmentation is a random horizontal flip.
    """

    def __init__(
        self,
        pretrained: PretrainedEncoder,
        frames: Frames,
        settings: SegmentationSettings,
        fabric: Fabric,
    ) -> None:
        self.batches = Batches(
            len(frames.train), settings.batch, settings.seed, "segment", "segment.batch"
        )
        super().__init__(settings.epochs * self.batches.per_epoch, settings.batch, 0.0, fabric)
        self.settings, self.frames = settings, frames
        self.views = pretrained.views.to(fabric.device).eval()
        # fine-tuning trains a copy
        encoders = pretrained.encoders if settings.frozen else deepcopy(pretrained.encoders)
        self.encoders = encoders.to(fabric.device).eval()
        with torch.no_grad():
            example = self.views.split(as_float(frames.images.train.images[:1].to(fabric.device)))
            self.taps = levels(self.encoders, example)
            channels = [m.shape[1] for m in self.encoders.maps(example, self.taps)]
        with rng.seeded(settings.seed, "decoder"):
            widths = [settings.width] * len(channels)
            self.decoder = Decoder(channels, widths, len(frames.classes)).to(fabric.device)
        self.modules = {"decoder": self.decoder}
        if not settings.frozen:
            self.modules["backbones"] = nn.ModuleList(self.encoders.backbones).requires_grad_()
        trained = [p for module in self.modules.values() for p in module.parameters()]
        self.optimizer = torch.optim.Adam(trained, lr=settings.rate)
        self.optimizers = {"decoder": self.optimizer}
        self._train_mode(True)

    def _train_mode(self, mode: bool) -> None:
        for module in self.modules.values():
            module.train(mode)

    def advance(self) -> Metrics:
        """Train the decoder, and an encoder that is not frozen, for one step."""
        start = time.perf_counter()
        index = self.batches(self.step)
        generator = rng.generator(self.settings.seed, "flip", self.step)
        flip = rearrange(torch.rand(len(index), generator=generator) < 0.5, "b -> b 1 1")
        images = as_float(take(self.frames.images.train.images, index))
        labels = take(self.frames.train, index).long()
        images = torch.where(flip[:, None], images.flip(-1), images).to(self.fabric.device)
        labels = torch.where(flip, labels.flip(-1), labels).to(self.fabric.device)
        data_seconds = time.perf_counter() - start
        logits = self.logits(images)
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORED)
        value = self.finite("loss", loss)
        set_rate(self.optimizer, factor("cosine", self.step, self.steps))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        accuracy = (logits.argmax(1) == labels)[labels != IGNORED].float().mean().item()
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": value, "accuracy": accuracy, "rate": rate, "data_seconds": data_seconds}

    def logits(self, images: Images) -> Float[Tensor, "b k h w"]:
        """Return the logits of frames, at their size."""
        with self.fabric.autocast():
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.settings.frozen):
                maps = self.encoders.maps(self.views.split(images), self.taps)
            coarse = self.decoder(maps, [m.shape[2:] for m in maps])
        return F.interpolate(coarse.float(), [*images.shape[2:]], mode="bilinear")

    @torch.no_grad()
    def predict(self, images: Tensor, chunk: int = 32) -> Int64[Tensor, "n h w"]:
        """Return the class of every pixel of frames `n c h w` of any type, on the CPU."""
        self._train_mode(False)
        predictions = []
        for part in images.split(chunk):
            predictions.append(self.logits(as_float(part.to(self.fabric.device))).argmax(1).cpu())
        self._train_mode(True)
        return torch.cat(predictions)

    def evaluate(self) -> dict[str, Any]:
        """Return mean IoU and pixel accuracy on the test frames, chance, and the protocol.

        Chance predicts the most frequent class of the training frames everywhere.
        """
        frames, classes = self.frames, self.frames.classes
        height, width = frames.test.shape[1:]
        prediction = self.predict(frames.images.test.images)
        scores = segmentation_scores(confusion_matrix(frames.test, prediction, len(classes)))
        frequent = int(torch.bincount(frames.train[frames.train != IGNORED]).argmax())
        constant = torch.full_like(prediction, frequent)
        chance = segmentation_scores(confusion_matrix(frames.test, constant, len(classes)))
        named = zip(classes, scores.iou, strict=True)
        features = "frozen features" if self.settings.frozen else "features, trained along with it,"
        return {
            "mean_iou": scores.mean_iou,
            "pixel_accuracy": scores.pixel_accuracy,
            "chance": {"mean_iou": chance.mean_iou, "pixel_accuracy": chance.pixel_accuracy},
            "iou": {name: iou for name, iou in named if iou is not None},
            "settings": asdict(self.settings),
            "protocol": f"{features} of taps {', '.join(self.taps)}, decoder of "
            f"{len(self.taps) + 1} layers, width {self.settings.width}, Adam, "
            f"{self.settings.epochs} epochs, {len(frames.train)} training frames, flipped at "
            f"random; mean over the {sum(iou is not None for iou in scores.iou)} classes of "
            f"{len(frames.test)} test frames of {width}x{height} pixels, last epoch; chance is "
            f"{classes[frequent]} everywhere",
        }
