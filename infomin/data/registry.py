"""The registry of data sources.

A data source is a function that returns a `DataSet`. Its arguments are the options of its file in
`conf/data/`, and `progress`, which takes the number of images that are done and of all. A new
source is one file in this folder and one in `conf/data/` with `_target_: infomin.data.NAME`.
"""

from collections.abc import Callable
from typing import ParamSpec

from infomin.data.images import DataSet

SOURCES: dict[str, Callable[..., DataSet]] = {}
"""Functions that return a data set, by name."""
P = ParamSpec("P")


def source(function: Callable[P, DataSet]) -> Callable[P, DataSet]:
    """Register a data source under the name of its function."""
    SOURCES[function.__name__] = function
    return function
