"""TensorBoard's HParams tab: the settings of a finished run and the numbers of its result."""

from collections.abc import Mapping
from typing import Any

from infomin.runs import settings

PREFIX = "result/"
"""Prefix of the names of results; settings have none."""


def write(board: Any, config: Mapping[str, Any], result: Mapping[str, Any]) -> None:
    """Add settings and results as hyperparameters to the event file of a run.

    The HParams tab takes its metrics from curves only: a result as a metric would be a curve of one
    point. As a hyperparameter a result is a column that sorts and filters, and no curve.

    `SummaryWriter.add_hparams` would start a second run in a new folder. It would also fix the
    columns of the table for all runs. Without that, TensorBoard collects the columns of all runs.

    Arguments:
        board: the `SummaryWriter` of the run.
        config: its configuration.
        result: its result; only numbers are written.
    """
    from torch.utils.tensorboard.summary import hparams

    values = {name: value for name, value in settings.flat(config).items() if value is not None}
    for name, value in settings.flat(result).items():
        if isinstance(value, int | float) and not isinstance(value, bool):
            values[f"{PREFIX}{name}"] = value
    _, started, ended = hparams(values, {})
    board.file_writer.add_summary(started)
    board.file_writer.add_summary(ended)
