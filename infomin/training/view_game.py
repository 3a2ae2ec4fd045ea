r"""The game that learns g (InfoMin, section 4.2).

    unsup   min_g max_{f1,f2}  I_NCE(g(X)_1; g(X)_2:3)
    semi    min_{g,c1,c2} max_{f1,f2}  I_NCE(...) + CE(c1(g(X)_1), y) + CE(c2(g(X)_2:3), y)
    sup     min_{g,c1,c2}  CE + CE

Estimators f look for what the views share, g takes it away, and the classifiers c keep every view
telling the label. I_NCE runs on all images, CE on labelled ones; a step draws one batch of each.

Negatives are those of the batch: through a memory bank g would get no gradient on the key side.
One backward pass serves all players. Each follows its own objective, and g follows the gradients
at the views: that of L_NCE with its sign turned, those of CE weighted.
"""

import math
import time
from collections.abc import Sequence
from copy import deepcopy

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional as F

from infomin.augment import CropFlip
from infomin.data import Batches, ImageSet
from infomin.data.loader import Reader
from infomin.data.missing_views import check_complete
from infomin.generator import ViewGenerator
from infomin.losses import cosine_scores, infonce, top1, view_pairs
from infomin.models import Encoders
from infomin.training import distributed
from infomin.training.game_settings import GameSettings
from infomin.training.schedule import factor, set_rate
from infomin.training.trainer import Metrics, TrainingLoop
from infomin.views import LearnedViews

AtViews = list[tuple[Tensor, Tensor]]
"""Views, and the gradients that g follows there."""


class Game(TrainingLoop):
    """g against f1, ..., fM, with c1, ..., cM on g's side.

    Arguments:
        generator: g; its weights are trained.
        crops: `per_view` or `shared`, see `View`.
        estimators: f, one encoder per view.
        classifiers: c, one per view; unused in `unsup`.
        train: all training images.
        labelled: indices of those whose label may be seen.
        augment: cuts the crops; small patches suffice, since g is pixel-wise.
        settings: the numbers.
        fabric: device, precision, processes.
    """

    def __init__(
        self,
        generator: ViewGenerator,
        crops: str,
        estimators: Encoders,
        classifiers: Encoders,
        train: ImageSet,
        labelled: Tensor,
        augment: CropFlip,
        settings: GameSettings,
        fabric: Fabric,
    ) -> None:
        super().__init__(
            settings.steps,
            settings.batch * settings.estimator_steps * settings.informed
            + settings.labelled_batch * settings.classified,
            math.log(settings.batch),
            fabric,
        )
        self.settings, self.augment = settings, augment
        self.informed, self.classified = settings.informed, settings.classified
        self.pairs = view_pairs(len(estimators))
        check_complete(train.view_mask, "train", "the game")
        self.train = train
        self.part = distributed.share(fabric, settings.batch)
        self.batches = Batches(len(train), settings.batch, settings.seed, "game", "game.batch")
        self.reader = Reader(train.source, self.batches, fabric.device)
        if settings.classified:
            self.labelled_part = distributed.share(fabric, settings.labelled_batch)
            size, seed = settings.labelled_batch, settings.seed
            self.labelled_batches = Batches(
                labelled, size, seed, "labelled game", "game.labelled_batch"
            )
            self.labelled_reader = Reader(train.source, self.labelled_batches, fabric.device)
        self.g = generator.to(fabric.device).train()
        self.views = LearnedViews(self.g, crops)
        self.f = estimators.to(fabric.device).train()
        self.c = classifiers.to(fabric.device).train()
        for encoders in (self.f, self.c):
            distributed.share_batch_norm(fabric, encoders)
        self.average = deepcopy(self.g).requires_grad_(False) if settings.average else None
        self.modules = {"g": self.g, "f": self.f, "c": self.c}
        if self.average is not None:
            self.modules["average"] = self.average
        betas = settings.betas[0], settings.betas[1]
        for name, rate in (("g", settings.lr_g), ("f", settings.lr_f), ("c", settings.lr_c)):
            parameters = self.modules[name].parameters()
            self.optimizers[name] = torch.optim.Adam(parameters, lr=rate, betas=betas)

    @property
    def result(self) -> ViewGenerator:
        """The generator learned so far, with averaged weights if there are any."""
        return self.g if self.average is None else self.average

    @torch.no_grad()
    def make(self, step: int) -> tuple[list[list[Tensor]], tuple[Tensor, Tensor] | None]:
        """Return the crops for I_NCE, a batch for each step of f, and those with labels for CE."""
        s, unlabelled, labelled = self.settings, [], None
        if self.informed:
            for number in range(step * s.estimator_steps, (step + 1) * s.estimator_steps):
                images = self.reader(number, self.part)
                unlabelled.append(
                    self.batches.crops(images, number, self.augment, self.views.crops, self.part)
                )
        if self.classified:
            batches, part = self.labelled_batches, self.labelled_part
            images = self.labelled_reader(step, part)
            (crop,) = batches.crops(images, step, self.augment, 1, part)
            labels = self.train.labels.cpu()[batches(step)[part]]
            labelled = crop, labels.to(crop.device)
        return unlabelled, labelled

    def advance(self) -> Metrics:
        """Run one step of g and c, `estimator_steps` of f."""
        s = self.settings
        for name, optimizer in self.optimizers.items():
            final = s.final_f if name == "f" else 0.0
            warmup = s.warmup_g if name == "g" else 0.0
            set_rate(optimizer, factor(s.schedule, self.step, s.steps, warmup, final))
            optimizer.zero_grad()
        metrics: Metrics = {}
        began = time.perf_counter()
        unlabelled, labelled = self.make(self.step)
        waited = time.perf_counter() - began
        at_views: AtViews = []
        nothing = torch.zeros(0, device=self.fabric.device)
        if self.informed:
            *extra, last = unlabelled
            for crops in extra:
                self._estimate(crops)
                self._average(["f"], nothing)
                self._move(["f"])
            metrics |= self._estimate(last, at_views)
        measured = nothing
        if labelled is not None:
            measured = self._classify(*labelled, at_views)
        views, gradients = zip(*at_views, strict=True)
        torch.autograd.backward(views, gradients)
        players = ["f", "g", "c"]
        measured = self._average(players, measured)
        if labelled is not None:
            metrics |= self._class_metrics(measured)
        self._move(players)
        if self.average is not None:
            for mean, now in zip(self.average.parameters(), self.g.parameters(), strict=True):
                mean.lerp_(now.detach(), 1 - s.average)
        return metrics | {"data_seconds": waited}

    def _estimate(self, crops: Sequence[Tensor], at_views: AtViews | None = None) -> Metrics:
        """Add the gradient of L_NCE to f, and its opposite at the views to `at_views`, for g."""
        s = self.settings
        with torch.set_grad_enabled(at_views is not None):
            views = self.views(*crops)
        leaves = [v.detach().requires_grad_(at_views is not None) for v in views]
        with self.fabric.autocast():
            z = self.f(leaves)
        if self.fabric.world_size > 1:
            z = tuple(distributed.gather(dict(enumerate(z))).values())
        scores = [cosine_scores(z[i], z[j], s.temperature) for i, j in self.pairs]
        loss = torch.stack([infonce(score) for score in scores]).sum()
        value = self.finite("L_NCE", loss)
        loss.backward()
        if at_views is not None:
            at_views += [
                (v, -s.info_weight * _gradient(leaf)) for v, leaf in zip(views, leaves, strict=True)
            ]
        mean = value / len(scores)
        return {"loss": mean, "i_nce": self.cap - mean, "accuracy": top1(scores[0])}

    def _classify(self, crop: Tensor, y: Tensor, at_views: AtViews) -> Tensor:
        """Add the gradient of CE to c, and the weighted one at the views to `at_views`, for g.

        Returns:
            CE of every view, then accuracy of every view; of this process's share.
        """
        views = self.views.split(crop)
        leaves = [v.detach().requires_grad_() for v in views]
        with self.fabric.autocast():
            logits = self.c(leaves)
        losses = torch.stack([F.cross_entropy(o, y) for o in logits])
        hits = torch.stack([(o.argmax(1) == y).float().mean() for o in logits])
        losses.sum().backward()
        s = self.settings
        fallen = min(self.step / (s.class_until * s.steps), 1)
        left = factor("cosine", fallen, 1, final=s.final_class)
        for i, (v, leaf) in enumerate(zip(views, leaves, strict=True)):
            weight = left * s.class_weights[min(i, len(s.class_weights) - 1)]
            at_views.append((v, weight * _gradient(leaf)))
        return torch.cat([losses, hits]).detach()

    def _class_metrics(self, measured: Tensor) -> Metrics:
        """Return the metrics of the classifiers, given the results of `_classify`."""
        metrics: Metrics = {}
        losses, hits = measured.chunk(2)
        for i, (loss, share) in enumerate(zip(losses, hits, strict=True), 1):
            metrics[f"ce_{i}"] = self.finite(f"CE of view {i}", loss)
            metrics[f"class_accuracy_{i}"] = share.item()
        if not self.informed:
            metrics["loss"] = sum(metrics[f"ce_{i + 1}"] for i in range(len(losses)))
            metrics["accuracy"] = metrics["class_accuracy_1"]
        return metrics

    def _average(self, players: Sequence[str], numbers: Tensor) -> Tensor:
        """Average the gradients of players and numbers over processes; return the numbers."""
        if self.fabric.world_size == 1:
            return numbers
        parameters = [p for name in players for p in self.modules[name].parameters()]
        return self.average_gradients(parameters, numbers)

    def _move(self, players: Sequence[str]) -> None:
        """Run the step of players that have gradients; the parameters of others do not change."""
        for name in players:
            if any(p.grad is not None for p in self.modules[name].parameters()):
                self.optimizers[name].step()
                self.optimizers[name].zero_grad()


def _gradient(leaf: Tensor) -> Tensor:
    assert leaf.grad is not None, "every view reaches a loss"
    return leaf.grad
