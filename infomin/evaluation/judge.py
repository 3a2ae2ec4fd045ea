"""Judge a pretrained encoder: linear probe and kNN on frozen features, I_NCE on held-out images."""

from typing import Any

import torch
from torch import Tensor

from infomin.augment import resize
from infomin.data import DataSet, ImageSet
from infomin.evaluation.features import extract
from infomin.evaluation.knn import knn_accuracy
from infomin.evaluation.linear_probe import linear_probe
from infomin.models import Encoders
from infomin.models.pretrained import Pretrained
from infomin.views import View


def judge(
    pretrained: Pretrained,
    data: DataSet,
    tap: str | None = None,
    neighbours: int = 20,
    seed: int = 0,
    **fit: Any,
) -> dict[str, Any]:
    """Return linear and kNN accuracy on the test set, with the protocol of each.

    Arguments:
        pretrained: encoder and views; unchanged afterwards.
        data: with labels; unlabelled images are left out, and those that have none of the views.
            Where they have some, the features of the others are zeros.
        tap: of the backbones; None is the last.
        neighbours: k of kNN, at most the number of training images.
        seed: of the validation split and order.
        fit: `epochs`, `rates`, `decays`, ... of `linear_probe`.
    """
    seen = data.seen(pretrained.views.sources)
    seen.needs_classes("evaluation")
    train, test = seen.train.labelled(), seen.test.labelled()
    views, encoders, size = pretrained.views, pretrained.encoders, pretrained.size
    features = [
        extract(views, encoders, s.images, size, tap, present=s.present) for s in (train, test)
    ]
    labels = [s.labels.cpu() for s in (train, test)]
    probe = linear_probe(features[0], labels[0], features[1], labels[1], seed=seed, **fit)
    k = min(neighbours, len(train))
    return {
        "top1": probe.test,
        "knn": knn_accuracy(features[0], labels[0], features[1], labels[1], k),
        "validation": probe.validation,
        "chance": 1 / len(data.classes),
        "protocol": f"{probe.protocol}; tap {tap or pretrained.encoders.taps[-1]}; "
        f"kNN cosine, k={k}, tau=0.07, unstandardised{_absences(data, (train, test))}",
    }


def _absences(data: DataSet, judged: tuple[ImageSet, ImageSet]) -> str:
    """Say how many images without these views were left out, and how many have zeros for some."""
    known = data.train.labelled(), data.test.labelled()
    out = [len(all_of) - len(part) for all_of, part in zip(known, judged, strict=True)]
    zeros = [0 if s.present is None else int((~s.present.all(1)).sum()) for s in judged]
    told = [
        f"; {train} training and {test} test images {what}"
        for (train, test), what in (
            (zeros, "lack views, with zeros for their features"),
            (out, "have none of the views and are left out"),
        )
        if train or test
    ]
    return "".join(told)


@torch.no_grad()
def classifier_accuracy(
    views: View, classifiers: Encoders, images: ImageSet, size: int, chunk: int = 512
) -> list[float]:
    """Return the held-out accuracy of every view's classifier c_i."""
    was = classifiers.training
    classifiers.eval()
    known = images.labelled()
    hits = torch.zeros(len(classifiers))
    for part, label in zip(known.images.split(chunk), known.labels.split(chunk), strict=True):
        logits: list[Tensor] = list(classifiers(views.split(resize(part, size))))
        hits += torch.stack([(o.argmax(1) == label).sum().cpu() for o in logits])
    classifiers.train(was)
    accuracies: list[float] = (hits / len(known)).tolist()
    return accuracies
