"""Linear probe and kNN of a pretrained encoder, and the accuracy of the game's classifiers."""

from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from infomin.augment import resize
from infomin.core.errors import InputError
from infomin.data import DataSet, ImageSet
from infomin.data.source import CHUNK, in_chunks
from infomin.evaluation.features import device_of, evaluating, extract
from infomin.evaluation.linear_probe import linear_probe
from infomin.models import Encoders
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.views import View


def evaluate(
    encoder: PretrainedEncoder,
    data: DataSet,
    tap: str | None = None,
    neighbours: int = 20,
    seed: int = 0,
    **fit: Any,
) -> dict[str, Any]:
    """Return linear and kNN accuracy on the test set, with the protocol of each.

    Arguments:
        encoder: unchanged afterwards.
        data: with labels. Unlabelled images and images without any of the views are left out; the
            features of single missing views are zeros.
        tap: layer of the backbones; None is the last.
        neighbours: k of kNN, at most the number of training images.
        seed: of the validation split.
        fit: `penalties` and `validation` of `linear_probe`.
    """
    seen = data.with_views(encoder.views.sources)
    seen.check_classes("evaluation")
    train, test = seen.train.labelled(), seen.test.labelled()
    z_train, z_test = (
        extract(encoder.views, encoder.encoders, s.source, tap, view_mask=s.view_mask)
        for s in (train, test)
    )
    y_train, y_test = train.labels.cpu(), test.labels.cpu()
    probe = linear_probe(z_train, y_train, z_test, y_test, seed=seed, **fit)
    k = min(neighbours, len(train))
    return {
        "top1": probe.test,
        "knn": knn_accuracy(z_train, y_train, z_test, y_test, k),
        "validation": probe.validation,
        "chance": 1 / len(data.classes),
        "protocol": f"{probe.protocol}; tap {tap or encoder.layers[-1]}; "
        f"kNN cosine, k={k}, tau=0.07, unstandardised{_missing(data, (train, test))}",
    }


def _missing(data: DataSet, used: tuple[ImageSet, ImageSet]) -> str:
    """Return how many images lack all views and were left out, and how many have zeros for some."""
    labelled = data.train.labelled(), data.test.labelled()
    left_out = [len(every) - len(part) for every, part in zip(labelled, used, strict=True)]
    zeros = [0 if s.view_mask is None else int((~s.view_mask.all(1)).sum()) for s in used]
    states = {
        "lack views, with zeros for their features": zeros,
        "have none of the views and are left out": left_out,
    }
    return "".join(
        f"; {train} training and {test} test images {state}"
        for state, (train, test) in states.items()
        if train or test
    )


@torch.no_grad()
def knn_accuracy(
    train: Float[Tensor, "n d"],
    train_labels: Int64[Tensor, " n"],
    test: Float[Tensor, "m d"],
    test_labels: Int64[Tensor, " m"],
    k: int = 20,
    temperature: float = 0.07,
) -> float:
    """Return the accuracy of a vote of the k nearest training features, weighted by exp(cos / tau).

    Source: Wu et al. 2018, arXiv:1805.01978, section 3.4.

    Raises:
        InputError: if k is not within 1..n.
    """
    if not 1 <= k <= len(train):
        raise InputError(f"k: expected 1..{len(train)} neighbours, got {k}")
    bank = F.normalize(train, dim=1)
    classes, hits = int(train_labels.max()) + 1, 0
    unit = F.normalize(test, dim=1)
    for part, labels in zip(unit.split(512), test_labels.split(512), strict=True):
        nearest = (part @ bank.mT).topk(k, dim=1)
        votes = part.new_zeros(len(part), classes)
        votes.scatter_add_(1, train_labels[nearest.indices], (nearest.values / temperature).exp())
        hits += int((votes.argmax(1) == labels).sum())
    return hits / len(test)


@torch.no_grad()
def classifier_accuracy(
    views: View, classifiers: Encoders, images: ImageSet, size: int
) -> list[float]:
    """Return the held-out accuracy of every view's classifier c_i."""
    known = images.labelled()
    hits = torch.zeros(len(classifiers))
    with evaluating(classifiers):
        chunks = in_chunks(known.source, device_of(classifiers))
        for part, label in zip(chunks, known.labels.split(CHUNK), strict=True):
            logits: list[Tensor] = list(classifiers(views.split(resize(part, size))))
            label = label.to(part.device)
            hits += torch.stack([(o.argmax(1) == label).sum().cpu() for o in logits])
    accuracies: list[float] = (hits / len(known)).tolist()
    return accuracies
