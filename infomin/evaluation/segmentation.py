"""Semantic segmentation on frozen encoders: a small decoder, trained on top, names every pixel.

The paper has a decoder of four layers, U-Net-like, and no more is known of it. Here the features of
all encoders at the last tap of each resolution go in, coarsest first: a 3x3 convolution, then twice
the size, joined with the next finer ones, and so on; a 1x1 convolution names the classes at the
finest resolution, and logits are interpolated to that of the labels. Backbones of three
resolutions, FourConv and the small AlexNet, have four layers so.
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
from infomin.core.errors import positive, true_or_false, whole_number
from infomin.core.shapes import Images
from infomin.data import Batches, Frames
from infomin.data.frames import IGNORED
from infomin.data.values import take
from infomin.evaluation.overlap import confusion, constant, overlap
from infomin.models import Decoder, levels
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import Metrics, TrainingLoop


@dataclass(frozen=True)
class SegmentationSettings:
    """Numbers of a decoder's training.

    Attributes:
        epochs: passes over all training frames.
        batch: frames a step.
        rate: peak learning rate of Adam, cosine to 0.
        width: channels of the decoder's layers.
        seed: of its weights, of the order and of the flips.
        frozen: train the decoder alone; otherwise the encoder is trained with it, from where it
            is: what labels alone can do.
    """

    epochs: int = 30
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
    """Trains a decoder on the features of an encoder, frozen unless told otherwise.

    Frames are flipped left to right at random, which is all that is done to them.

    Arguments:
        pretrained: encoder and views; unchanged afterwards.
        frames: with a label for every pixel.
        settings: the numbers.
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
        # one that is trained is a copy, so that what was handed over stays as it is
        encoders = pretrained.encoders if settings.frozen else deepcopy(pretrained.encoders)
        self.encoders = encoders.to(fabric.device).eval()
        with torch.no_grad():
            one = self.views.split(as_float(frames.images.train.images[:1].to(fabric.device)))
            self.taps = levels(self.encoders, one)
            channels = [m.shape[1] for m in self.encoders.maps(one, self.taps)]
        with rng.seeded(settings.seed, "decoder"):
            widths = [settings.width] * len(channels)
            self.decoder = Decoder(channels, widths, len(frames.classes)).to(fabric.device)
        self.modules = {"decoder": self.decoder}
        if not settings.frozen:
            self.modules["backbones"] = nn.ModuleList(self.encoders.backbones).requires_grad_()
        trained = [p for module in self.modules.values() for p in module.parameters()]
        self.optimizer = torch.optim.Adam(trained, lr=settings.rate)
        self._learning(True)
        self.optimizers = {"decoder": self.optimizer}

    def _learning(self, mode: bool) -> None:
        """Put what is trained into training mode, or all of it into evaluation mode."""
        for module in self.modules.values():
            module.train(mode)

    def advance(self) -> Metrics:
        """One step of the decoder, and of an encoder that is not frozen."""
        began = time.perf_counter()
        chosen = self.batches(self.step)
        generator = rng.generator(self.settings.seed, "flip", self.step)
        flip = rearrange(torch.rand(len(chosen), generator=generator) < 0.5, "b -> b 1 1")
        images = as_float(take(self.frames.images.train.images, chosen))
        labels = take(self.frames.train, chosen).long()
        images = torch.where(flip[:, None], images.flip(-1), images).to(self.fabric.device)
        labels = torch.where(flip, labels.flip(-1), labels).to(self.fabric.device)
        waited = time.perf_counter() - began
        logits = self.logits(images, labels.shape[1:])
        loss = F.cross_entropy(logits, labels, ignore_index=IGNORED)
        value = self.finite("loss", loss)
        set_rate(self.optimizer, factor("cosine", self.step, self.steps))
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        right = (logits.argmax(1) == labels)[labels != IGNORED].float().mean().item()
        rate = self.optimizer.param_groups[0]["lr"]
        return {"loss": value, "accuracy": right, "rate": rate, "data_seconds": waited}

    def logits(self, images: Images, size: Sequence[int]) -> Float[Tensor, "b k h w"]:
        """Return logits for frames, at the size of their labels."""
        with self.fabric.autocast():
            with torch.set_grad_enabled(torch.is_grad_enabled() and not self.settings.frozen):
                maps = self.encoders.maps(self.views.split(images), self.taps)
            coarse = self.decoder(maps, [m.shape[2:] for m in maps])
        return F.interpolate(coarse.float(), list(size), mode="bilinear")

    @torch.no_grad()
    def guess(self, images: Tensor, chunk: int = 32) -> Int64[Tensor, "n h w"]:
        """Return the class of every pixel of frames `n c h w`, in their own type; on the CPU."""
        self._learning(False)
        guesses = []
        for part in images.split(chunk):
            frames = as_float(part.to(self.fabric.device))
            guesses.append(self.logits(frames, frames.shape[2:]).argmax(1).cpu())
        self._learning(True)
        return torch.cat(guesses)

    def judge(self) -> dict[str, Any]:
        """Return mean IoU and pixel accuracy on the test frames, chance, and the protocol."""
        frames, classes = self.frames, self.frames.classes
        height, width = frames.test.shape[1:]
        counts = confusion(frames.test, self.guess(frames.images.test.images), len(classes))
        found = overlap(counts)
        often = int(torch.bincount(frames.train[frames.train != IGNORED]).argmax())
        chance = constant(counts, often)
        named = zip(classes, found.iou, strict=True)
        how = "frozen features" if self.settings.frozen else "features, trained along with it,"
        return {
            "mean_iou": found.mean_iou,
            "pixel_accuracy": found.pixel_accuracy,
            "chance": {"mean_iou": chance.mean_iou, "pixel_accuracy": chance.pixel_accuracy},
            "iou": {name: iou for name, iou in named if iou is not None},
            "settings": asdict(self.settings),
            "protocol": f"{how} of taps {', '.join(self.taps)}, decoder of "
            f"{len(self.taps) + 1} layers, width {self.settings.width}, Adam, "
            f"{self.settings.epochs} epochs, {len(frames.train)} training frames, flipped at "
            f"random; mean over the {sum(iou is not None for iou in found.iou)} classes of "
            f"{len(frames.test)} test frames of {width}x{height} pixels, last epoch; chance is "
            f"{classes[often]} everywhere",
        }
