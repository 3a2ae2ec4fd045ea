"""Linear probe and kNN of a pretrained encoder, and the accuracy of the game's classifiers."""

from typing import Any

import torch
from torch import Tensor

from infomin.augment import resize
from infomin.data import DataSet, ImageSet
from infomin.evaluation.features import evaluating, extract
from infomin.evaluation.knn import knn_accuracy
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
        seed: of the validation split and order.
        fit: `epochs`, `rates`, `decays`, ... of `linear_probe`.
    """
    seen = data.with_views(encoder.views.sources)
    seen.check_classes("evaluation")
    train, test = seen.train.labelled(), seen.test.labelled()
    features = [
        extract(encoder.views, encoder.encoders, s.images, encoder.size, tap, view_mask=s.view_mask)
        for s in (train, test)
    ]
    labels = [s.labels.cpu() for s in (train, test)]
    probe = linear_probe(features[0], labels[0], features[1], labels[1], seed=seed, **fit)
    k = min(neighbours, len(train))
    return {
        "top1": probe.test,
        "knn": knn_accuracy(features[0], labels[0], features[1], labels[1], k),
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
    notes = [
        f"; {train} training and {test} test images {state}"
        for (train, test), state in (
            (zeros, "lack views, with zeros for their features"),
            (left_out, "have none of the views and are left out"),
        )
        if train or test
    ]
    return "".join(notes)


@torch.no_grad()
def classifier_accuracy(
    views: View, classifiers: Encoders, images: ImageSet, size: int, chunk: int = 512
) -> list[float]:
    """Return the held-out accuracy of every view's classifier c_i."""
    known = images.labelled()
    hits = torch.zeros(len(classifiers))
    with evaluating(classifiers):
        for part, label in zip(known.images.split(chunk), known.labels.split(chunk), strict=True):
            logits: list[Tensor] = list(classifiers(views.split(resize(part, size))))
            hits += torch.stack([(o.argmax(1) == label).sum().cpu() for o in logits])
    accuracies: list[float] = (hits / len(known)).tolist()
    return accuracies
