"""Semantic segmentation with a small decoder on the feature maps of frozen encoders.

The paper has a U-Net-like decoder of four layers and gives no more details. Here the input is the
feature maps of all encoders at the last tap of each resolution. The decoder starts with the
coarsest maps. Each level has a 3x3 convolution, is upsampled to the next finer maps and
concatenated with them. A 1x1 convolution gives logits at the finest resolution, which are
interpolated to the size of the labels. For backbones with three resolutions (FourConv, the small
AlexNet) these are four layers.
"""

import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float, Int64
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F

from infomin.augment import as_float
from infomin.core import rng
from infomin.core.batching import take
from infomin.core.errors import positive, true_or_false, whole_number
from infomin.core.shapes import Images
from infomin.data import Batches, Frames
from infomin.data.nyuv2 import IGNORED
from infomin.evaluation.segmentation_metrics import (
    confusion_matrix,
    constant_scores,
    segmentation_scores,
)
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


class Segmentation(TrainingLoop):
    """Training of a decoder on the feature maps of an encoder, which is frozen by default.

    The only augmentation is a random horizontal flip.

    Arguments:
        pretrained: encoder and views; they stay unchanged.
        frames: images with a label for every pixel.
        settings: see `SegmentationSettings`.
        fabric: device and precision.
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
        self._train_mode(True)
        self.optimizers = {"decoder": self.optimizer}

    def _train_mode(self, mode: bool) -> None:
        """Set the mode of the trained modules."""
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
        logits = self.logits(images, labels.shape[1:])
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORED)
        value = self.finite("loss", loss)
        set_rate(self.optimizer, factor("cosine", self.step, self.steps))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        accuracy = (logits.argmax(1) == labels)[labels != IGNORED].float().mean().item()
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": value, "accuracy": accuracy, "rate": rate, "data_seconds": data_seconds}

    def logits(self, images: Images, size: Sequence[int]) -> Float[Tensor, "b k h w"]:
        """Return the logits of frames at the size of their labels."""
        with self.fabric.autocast():
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.settings.frozen):
                maps = self.encoders.maps(self.views.split(images), self.taps)
            coarse = self.decoder(maps, [m.shape[2:] for m in maps])
        return F.interpolate(coarse.float(), list(size), mode="bilinear")

    @torch.no_grad()
    def predict(self, images: Tensor, chunk: int = 32) -> Int64[Tensor, "n h w"]:
        """Return the class of every pixel, on the CPU.

        Arguments:
            images: frames `n c h w`, of any type that `as_float` takes.
            chunk: frames per forward pass.
        """
        self._train_mode(False)
        predictions = []
        for part in images.split(chunk):
            frames = as_float(part.to(self.fabric.device))
            predictions.append(self.logits(frames, frames.shape[2:]).argmax(1).cpu())
        self._train_mode(True)
        return torch.cat(predictions)

    def evaluate(self) -> dict[str, Any]:
        """Return mean IoU and pixel accuracy on the test frames, chance, and the protocol.

        Chance predicts the most frequent class of the training frames everywhere.
        """
        frames, classes = self.frames, self.frames.classes
        height, width = frames.test.shape[1:]
        prediction = self.predict(frames.images.test.images)
        counts = confusion_matrix(frames.test, prediction, len(classes))
        scores = segmentation_scores(counts)
        frequent = int(torch.bincount(frames.train[frames.train != IGNORED]).argmax())
        chance = constant_scores(counts, frequent)
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
