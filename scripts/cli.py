"""What the scripts share: configuration in, one clear line out when something is wrong."""

import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infomin.errors import InputError
from infomin.run import Interrupted, Run

CONF = Path(__file__).resolve().parent.parent / "conf"
_QUIET = [
    "hydra.run.dir=.",  # the run folder is ours: it also holds checkpoints, and resume finds it
    "hydra.sweep.dir=.",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
]
TOLD: list[str] = []
"""The overrides that the user gave."""


def main(name: str) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """Run a script with `conf/<name>.yaml` and overrides; exit 2 with one line on bad input."""

    def wrap(script: Callable[[DictConfig], None]) -> Callable[[], None]:
        @functools.wraps(script)
        def run() -> None:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us
            overrides = sys.argv[1:]
            sys.argv[1:] = [*_QUIET, *overrides]
            TOLD.extend(overrides)
            with _plainly():  # outside for the configuration, inside for the script: Hydra would
                job = _plainly()(script)  # add a line of its own to an error that passes it
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(job)()

        return run

    return wrap


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn what a user can mend, and a signal, into one line and an exit code."""
    try:
        yield
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        sys.exit(stop.exit_code)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except (InputError, HydraException, OmegaConfBaseException) as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        sys.exit(2)


def build(node: DictConfig, *args: Any, **options: Any) -> Any:
    """Instantiate a config node, with plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **options)


def plain(node: Any) -> Any:
    """Return a config node as plain, resolved containers."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def open_run(cfg: DictConfig, kind: str, name: str, main: bool = True) -> Run:
    """Open the run of a configuration; where it goes and how it is saved are no part of it."""
    apart = ("resume", "out", "save_every")
    told = OmegaConf.create({k: v for k, v in plain(cfg).items() if k not in apart})
    return Run.open(cfg.out, kind, name, OmegaConf.to_yaml(told), cfg.get("resume", False), main)


def _one_line(error: BaseException) -> str:
    """Say what Hydra wraps into several lines in one; what we said ourselves comes first."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError | TypeError):
            where = [line for line in lines if line.startswith("full_key: ")]
            name = where[0][10:] + ": " if where and isinstance(cause, TypeError) else ""
            return name + " ".join(str(cause).split())
        cause = cause.__cause__
    if lines and lines[0].startswith("Could not override"):
        return f"{lines[0]} There is no such option; --cfg job shows all that there are"
    skip = ("full_key", "object_type", "reference_type", "Set the environment")
    skip += ("Config search path", "provider=")
    return "; ".join(line for line in lines if not line.startswith(skip))
