"""A finished run in TensorBoard's HParams tab: its settings, and what of its result is a number."""

from collections.abc import Mapping
from typing import Any

from infomin.runs import settings

PREFIX = "result/"
"""Of the metrics, which the curves of a run are told apart from by it."""


def write(board: Any, config: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Write settings and result into the event file of a run.

    `SummaryWriter.add_hparams` would open a folder, and so a run, of its own. It also describes the
    columns of the whole table in each run, of which TensorBoard believes the first that it meets;
    without a description it collects the columns of all runs, those of games and of pretrainings.

    Arguments:
        board: the `SummaryWriter` of the run.
        config: its configuration.
        result: what came out.
    """
    from torch.utils.tensorboard.summary import hparams

    told = {name: value for name, value in settings.flat(config).items() if value is not None}
    numbers = {f"{PREFIX}{name}": value for name, value in settings.flat(result).items()}
    _, started, ended = hparams(told, {})
    board.file_writer.add_summary(started)
    board.file_writer.add_summary(ended)
    for name, value in numbers.items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            board.add_scalar(name, value)
