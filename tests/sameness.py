"""Compare two data sets bit by bit."""

import torch


def same(a, b):
    return (
        torch.equal(a.train.images, b.train.images)
        and torch.equal(a.train.labels, b.train.labels)
        and torch.equal(a.test.images, b.test.images)
        and torch.equal(a.test.labels, b.test.labels)
        and (a.name, a.classes, a.skipped) == (b.name, b.classes, b.skipped)
    )
