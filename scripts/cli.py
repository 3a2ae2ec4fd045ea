"""What the scripts share: configuration in, one clear line out when something is wrong."""

import functools
import os
import sys
from collections.abc import Callable
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


def main(name: str) -> Callable[[Callable[[DictConfig], None]], Callable[[], None]]:
    """Run a script with `conf/<name>.yaml` and overrides; exit 2 with one line on bad input."""

    def wrap(script: Callable[[DictConfig], None]) -> Callable[[], None]:
        @functools.wraps(script)
        def run() -> None:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us
            sys.argv[1:1] = _QUIET
            try:
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(script)()
            except Interrupted as stop:
                print(stop, file=sys.stderr)
                sys.exit(stop.exit_code)
            except (InputError, HydraException, OmegaConfBaseException) as error:
                print(f"error: {_one_line(error)}", file=sys.stderr)
                sys.exit(2)

        return run

    return wrap


def build(node: DictConfig, *args: Any, **options: Any) -> Any:
    """Instantiate a config node, with plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **options)


def plain(node: Any) -> Any:
    """Return a config node as plain, resolved containers."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def open_run(cfg: DictConfig, kind: str, name: str, main: bool = True) -> Run:
    """Open the run of a configuration; `resume` and `out` are no part of it."""
    told = OmegaConf.create({k: v for k, v in plain(cfg).items() if k not in ("resume", "out")})
    return Run.open(cfg.out, kind, name, OmegaConf.to_yaml(told), cfg.get("resume", False), main)


def _one_line(error: BaseException) -> str:
    """Say what Hydra wraps into several lines in one; what we said ourselves comes first."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError | TypeError):
            return " ".join(str(cause).split())
        cause = cause.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    skip = ("To append", "full_key", "object_type", "reference_type", "Set the environment")
    return "; ".join(line for line in lines if not line.startswith(skip))
