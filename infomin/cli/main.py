"""What the scripts share: configuration in, one clear line out when something is wrong."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf

from infomin.cli.plainly import plainly
from infomin.core import artifact
from infomin.core.errors import InputError
from infomin.runs.folder import Run
from infomin.shipped import located

CONF = Path(__file__).resolve().parents[2] / "conf"
_QUIET = [
    "hydra.run.dir=.",  # the run folder is ours: it also holds checkpoints, and resume finds it
    "hydra.sweep.dir=${out}",
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
            several = [word for word in overrides if word in ("-m", "--multirun")]
            rest = [word for word in overrides if word not in several]
            sys.argv[1:] = [*several, *rest, *_QUIET]  # argparse takes the flag only in front
            TOLD.extend(overrides)

            @functools.wraps(script)
            def as_told(cfg: DictConfig) -> None:
                sys.argv[1:] = overrides  # what provenance records, and other processes start with
                script(cfg)

            with plainly():  # outside for the configuration, inside for the script: Hydra would
                job = plainly()(as_told)  # add a line of its own to an error that passes it
                hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)(job)()

        return run

    return wrap


def build(node: DictConfig, *args: Any, **options: Any) -> Any:
    """Instantiate a config node, with plain containers."""
    return hydra.utils.instantiate(node, *args, _convert_="all", **options)


def plain(node: Any) -> Any:
    """Return a config node as plain, resolved containers."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def taken(kind: str, folder: str | Path, data: str) -> str:
    """Say which generator or encoder was taken, and whether it comes from other data than these."""
    training = artifact.read_card(located(folder), kind)["training"]
    source = str(InputError(str(training.get("data", "unknown data"))))  # plain, short, one line
    return f"{kind} {folder}, trained on {source}" + (f", not on {data}" if source != data else "")


def open_run(cfg: DictConfig, kind: str, name: str, main: bool = True) -> Run:
    """Open the run of a configuration; where it goes and how it is saved are no part of it."""
    apart = ("resume", "out", "save_every")
    told = OmegaConf.create({k: v for k, v in plain(cfg).items() if k not in apart})
    return Run.open(cfg.out, kind, name, OmegaConf.to_yaml(told), cfg.get("resume", False), main)
