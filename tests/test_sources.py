"""Data sources register themselves, under the names in `conf/data/`, and report their progress."""

import inspect
import time
from pathlib import Path

import pytest
from hydra.utils import get_method
from omegaconf import OmegaConf

from infomin import data
from infomin.data import SOURCES
from infomin.data.reading import in_threads

CONF = sorted((Path(__file__).parent.parent / "conf" / "data").glob("*.yaml"))


def test_every_source_has_a_configuration_and_every_configuration_a_source():
    targets = [OmegaConf.load(path)["_target_"] for path in CONF]
    assert {target.removeprefix("infomin.data.") for target in targets} == set(SOURCES)
    assert all(get_method(target) is SOURCES[target.split(".")[-1]] for target in targets)


@pytest.mark.parametrize("path", CONF, ids=lambda path: path.stem)
def test_options_are_arguments_and_have_their_defaults(path):
    options = OmegaConf.to_container(OmegaConf.load(path))
    parameters = dict(inspect.signature(SOURCES[options.pop("_target_")[13:]]).parameters)
    assert parameters.pop("progress").default is None
    assert options.keys() <= parameters.keys()
    for name, value in options.items() if path.stem != "photographs" else ():
        assert value == parameters[name].default or name == "size", name


def test_an_unknown_source_lists_those_that_there_are():
    with pytest.raises(
        AttributeError, match="has no 'kodak'; data sources: array_file, arrays, cifar10, .*win"
    ):
        data.kodak  # noqa: B018


def test_an_error_in_a_thread_cancels_the_calls_that_have_not_begun():
    calls = []

    def call(i):
        calls.append(i)
        time.sleep(0.01)
        assert i

    with (
        pytest.raises(AssertionError),
        in_threads(call, range(1000), lambda: None) as results,
    ):
        list(results)
    assert len(calls) < 500
