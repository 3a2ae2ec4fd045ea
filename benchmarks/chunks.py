"""A large batch in chunks: memory and time of a step of pretraining (budget=small).

Batch 4,096 in chunks of 256 images, against batch 4,096 at once and against batch 256, on
photographs with raw views. Memory is the increase of the peak in a step.

Target: at most 1.5 x the memory of batch 256. The views of the batch are not counted: a step needs
all of them twice.
"""

from functools import partial

import small
from memory import peak
from rows import Row, main
from timing import per_step

from infomin.data.photos import photos
from infomin.training.trainer import Trainer
from infomin.views import ChannelViews

LARGE, CHUNK = 4096, 256
FLOATS, PIXELS = 4, 32 * 32


def learner(*overrides: str) -> Trainer:
    """Return the training loop of `pretrain` with overrides."""
    images = photos(train=LARGE).train.images
    return small.pretraining(ChannelViews(color="ydbdr"), images, "auto", *overrides)


def views(batch: int) -> float:
    """Return the memory of the views of a batch, in MiB."""
    return 3 * PIXELS * FLOATS * batch / 2**20


def measure(quick: bool) -> list[Row]:
    """Measure the three batches; one large step takes seconds."""
    large = f"pretrain.batch={LARGE}"
    learners = {
        "in chunks": learner(large, f"pretrain.chunk={CHUNK}"),
        "at once": learner(large),
        "small": learner(f"pretrain.batch={CHUNK}"),
    }
    steps = {name: iter(each) for name, each in learners.items()}
    memory = {name: peak(partial(next, s)) / 2**20 for name, s in steps.items()}
    beside = memory["in chunks"] - views(LARGE), memory["small"] - views(CHUNK)
    rounds = 1 if quick else 3
    rates = {
        name: [per_step(partial(next, s), LARGE, 0, 1)() for _ in range(rounds)]
        for name, s in steps.items()
        if name != "small"
    }
    quantity = f"pretraining, batch {LARGE:,} in chunks of {CHUNK}"
    return [
        Row(
            f"{quantity}: peak memory", "MiB", [memory["in chunks"]], "at once", [memory["at once"]]
        ),
        Row(
            f"{quantity}: peak memory beside its views",
            "MiB",
            [beside[0]],
            f"batch {CHUNK}",
            [beside[1]],
            most=1.5,
        ),
        Row(quantity, "images/s", rates["in chunks"], "at once", rates["at once"]),
    ]


if __name__ == "__main__":
    main(measure)
