"""Data of a command: those that the user names, or those that a generator or encoder knows."""

import inspect
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict

from infomin.augment import resize
from infomin.cli import CONF
from infomin.cli.main import instantiate, origin
from infomin.cli.plainly import one_line
from infomin.core import files
from infomin.core.errors import InputError
from infomin.core.path_options import escaped
from infomin.core.ranks import is_first_process
from infomin.core.shapes import Images
from infomin.core.value_range import UNIT, parse_channel_names
from infomin.data import SOURCES, DataSet
from infomin.generator import ViewGenerator
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.runs import settings
from infomin.runs.lookup import CONFIG
from infomin.runs.progress import show_work
from infomin.shipped import generator_folder

_RESOLVER = re.compile(r"\$\{[\w.]+:")
"""A text that OmegaConf would replace by more than another option."""


def read_data(
    cfg: DictConfig,
    folder: str | Path | None = None,
    trained: ViewGenerator | PretrainedEncoder | None = None,
) -> Any:
    """Read the data of a configuration, and show a count; check that an encoder takes them.

    Without `data=` on the command line, data are those that a generator or encoder was trained on;
    `cfg.data` becomes theirs. Its card tells the value range and the names of channels, unless the
    command line does.

    Arguments:
        cfg: configuration.
        folder: of a generator or encoder that takes the images.
        trained: this generator or encoder.

    Raises:
        InputError: for data that cannot be read, or that the encoder does not take.
    """
    is_first = is_first_process()
    sources = []
    if folder is not None and not is_told(cfg) and (known := data_of_run(folder)):
        if isinstance(trained, ViewGenerator) and known.get("size"):  # g takes images of any size
            known["size"] = cfg.budget.size
        with open_dict(cfg):
            cfg.data = escaped(known)
        sources.append("data")
        if is_first:
            print(f"data as in the training of {folder}")
    if trained is not None:
        sources += take_from_card(cfg.data, trained)
    with ExitStack() as stack:
        update: Callable[[int], None] | None = None
        counted = 0

        def progress(done: int, total: int) -> None:
            nonlocal update, counted
            if update is None or total != counted:  # archives first, then images
                stack.close()
                update, counted = stack.enter_context(show_work("decoding", total, is_first)), total
            update(done)

        takes = inspect.signature(hydra.utils.get_method(cfg.data._target_)).parameters
        try:
            data = instantiate(cfg.data, **{"progress": progress} if "progress" in takes else {})
        except (InputError, HydraException) as error:
            if not sources:
                raise
            raise InputError(
                f"{one_line(error)}; {' and '.join(sources)} came from {folder}, {sources[0]}= "
                "changes it"
            ) from None
    for note in data.notes if is_first and isinstance(data, DataSet) else ():
        print(note)
    if isinstance(trained, PretrainedEncoder):
        print(origin("encoder", str(folder), data.name))
        names = trained.channel_names
        data.check_images(f"encoder: {folder}", trained.channels, trained.value_range, names)
    return data


def sample_images(data: DataSet, count: int, size: int) -> Images:
    """Return some test images, evenly spaced, of a size in pixels.

    Raises:
        InputError: when some lack a view.
    """
    data.check_complete("an export")
    return resize(data.test.spread(count), size)


def is_told(cfg: DictConfig) -> bool:
    """Return whether a word or a preset of the command chose the data."""
    if not HydraConfig.initialized():  # a verb of the Python API, with data of its own
        return True
    job = HydraConfig.get()
    words = [word.lstrip("+~") for word in job.overrides.task]
    if any(word.startswith(("data=", "data.")) for word in words):
        return True
    path = CONF / f"{job.job.config_name}.yaml"
    defaults = yaml.safe_load(path.read_text(encoding="utf-8")).get("defaults", [])
    usual = {name: choice for d in defaults if isinstance(d, dict) for name, choice in d.items()}
    return bool(job.runtime.choices.get("data") != usual.get("data"))


def data_of_run(folder: str | Path) -> dict[str, Any] | None:
    """Return the options of the data source in the run that a generator or encoder lies in.

    Nothing in the file is executed: the source has to be registered, its options are plain values.

    Returns:
        None without a run, or where its data came from somewhere else.
    """
    path = generator_folder(folder)
    for run in (path.parent, path.parent.parent):  # generators along a game lie one folder deeper
        if files.reason_not_to_read(run / CONFIG, 2**15):
            continue
        data = settings.read(files.read_text(run / CONFIG)).get("data")
        name = str(data.get("_target_", "")) if isinstance(data, dict) else ""
        source = SOURCES.get(name.removeprefix("infomin.data."))
        if source is None or not isinstance(data, dict):
            return None
        known = set(data) <= {"_target_", *inspect.signature(source).parameters}
        plain = str(data).count("_target_") == 1 and not _RESOLVER.search(str(data))
        return data if known and plain else None
    return None


def take_from_card(data: DictConfig, trained: ViewGenerator | PretrainedEncoder) -> list[str]:
    """Fill options that are null from a generator or encoder; return the names of those."""
    usual = parse_channel_names(None, trained.channels, "channel_names")
    names = trained.channel_names or usual
    values: dict[str, list[Any]] = {}
    if tuple(trained.value_range) != UNIT:
        values["data.value_range"] = list(trained.value_range)
    if tuple(names) != tuple(usual):
        values["data.channel_names"] = list(names)
    taken = [name for name in values if data.get(name[5:], "none") is None]
    for name in taken:
        data[name[5:]] = escaped(values[name])
    return taken
