r"""The JigSaw branch of PIRL and InfoMin: a puzzle of an image finds what its view finds.

A puzzle is an anchor beside every view that is one: it has the same positive and the same
negatives, of the batch, a bank or a queue, in which it changes nothing. What is minimised is

    (1 - beta) L + beta L_jig

(PyContrast, learning/contrast_trainer.py). Puzzles are cut from whole images by a draw of their
own, not from the crops, and their colours stay as they are. Where every view has an encoder of its
own, the same puzzle is seen as each of them (CMC with PIRL, PyContrast's CMCPIRL).
"""

import torch
from torch import Tensor

from infomin.augment import JigSaw
from infomin.core import rng
from infomin.core.errors import InputError
from infomin.data import Batches
from infomin.data.values import take
from infomin.models import Encoders, JigSawEncoders
from infomin.training.gradient_cache import Chunks
from infomin.views import ChannelViews, LearnedViews, View, WholeViews


def weight(beta: float) -> float:
    """Return the weight of puzzles.

    Raises:
        InputError: when it is not within [0, 1].
    """
    if not (isinstance(beta, int | float) and 0 <= beta <= 1):
        raise InputError(f"jigsaw.beta: expected a weight within [0, 1], got {beta}")
    return beta


class JigSawBranch:
    """Cuts puzzles, embeds them, and weighs their loss.

    Arguments:
        cut: makes the pieces.
        encoders: of the views.
        views: as which pieces are seen: whole images, split channels, or those of a generator.
        beta: weight of the puzzles, within [0, 1]; with 0 they change nothing.
        seed: of the heads.

    Raises:
        InputError: for views that are not made pixel by pixel, a weight out of range, or pieces
            too small for the encoder.
    """

    def __init__(
        self, cut: JigSaw, encoders: Encoders, views: View, beta: float = 0.5, seed: int = 0
    ) -> None:
        if not isinstance(views, WholeViews | ChannelViews | LearnedViews):
            raise InputError(
                f"jigsaw: expected views that are made pixel by pixel, got {views}; set "
                "views=whole, raw or learned, or jigsaw=none"
            )
        self.cut, self.views, self.beta = cut, views, weight(beta)
        self.encoders = JigSawEncoders(encoders, views.view_channels, cut.piece, seed)

    @torch.no_grad()
    def make(self, images: Tensor, batches: Batches, step: int, part: slice, size: int) -> Chunks:
        """Return the pieces of a process's share of batch `step`, so many puzzles at a time.

        Of every view, or of the first alone where one encoder serves all.

        Arguments:
            images: all training images, in their own type.
            batches: which of them are in a batch.
            step: which batch.
            part: this process's share.
            size: of a chunk.
        """
        generator = rng.generator(batches.seed, batches.stream, "jigsaw", step)
        height, width = images.shape[2:]
        puzzle = self.cut.sample(batches.size, height, width, generator)
        chunks = []
        for start in range(part.start, part.stop, size):
            which = slice(start, min(start + size, part.stop))
            pieces = self.cut.apply(take(images, batches(step)[which]), puzzle.part(which))
            every = range(len(self.encoders.encoders))
            seen = [self.views.one(pieces.flatten(0, 1), view) for view in every]
            chunks.append(tuple(v.unflatten(0, pieces.shape[:2]) for v in seen))
        return chunks

    def mixed(self, views: Tensor, puzzles: Tensor) -> Tensor:
        """Return (1 - beta) L + beta L_jig."""
        return (1 - self.beta) * views + self.beta * puzzles
