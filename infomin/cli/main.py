"""Commands: configuration in, one clear line out when something is wrong."""

import functools
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from infomin.cli import CONF
from infomin.cli.help import names_of_options
from infomin.cli.plainly import plainly, prepare_output
from infomin.core import artifact, files
from infomin.core.errors import InputError
from infomin.core.names import printable
from infomin.core.path_options import escaped, for_hydra
from infomin.core.ranks import is_first_process
from infomin.runs.folder import Run
from infomin.runs.lookup import RESULT
from infomin.shipped import generator_folder

_QUIET = [
    "hydra.run.dir=.",  # the run folder is ours: it also holds checkpoints, and resume finds it
    "hydra.sweep.dir=${out}",
    "hydra.sweep.subdir=.",
    "hydra.output_subdir=null",
    "hydra/job_logging=none",
    "hydra/hydra_logging=none",
]
OVERRIDES: list[str] = []
"""The words that the user typed."""
COMMANDS: dict[str, Callable[..., None]] = {}
"""Commands by the name of their configuration, once their modules are imported."""


def command(name: str) -> Callable[[Callable[[DictConfig], None]], Callable[..., None]]:
    """Make a command with `conf/<name>.yaml`; it exits with 2 and one line on bad input."""

    def decorate(function: Callable[[DictConfig], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(prefix: Sequence[str] = ()) -> None:
            """Run the command with the words in `sys.argv`, which came after those of `prefix`."""
            os.environ["HYDRA_FULL_ERROR"] = "1"  # let errors through to us
            prepare_output()
            overrides = sys.argv[1:]
            several = [word for word in overrides if word in ("-m", "--multirun")]
            rest = [word for word in overrides if word not in several]
            OVERRIDES[:] = overrides

            @functools.wraps(function)
            def with_typed_words(cfg: DictConfig) -> None:
                sys.argv[1:] = [*prefix, *overrides]  # for provenance, and for other processes
                function(cfg)

            names = names_of_options(name)
            with plainly(names):  # outside for the configuration, inside for the command: Hydra
                job = plainly()(with_typed_words)  # would add a line to an error that passes it
                for word in rest:
                    option = word.lstrip("-").partition("=")[0].replace("-", "_")
                    if word.startswith("--") and option in names:
                        raise InputError(f"{word}: options have no dashes; write {option}=VALUE")
                check_working_directory()
                read = [for_hydra(word, several=bool(several)) for word in rest]
                sys.argv[1:] = [*several, *read, *_QUIET]  # argparse takes the flag only in front
                hydra.main(
                    version_base="1.3", config_path=files.plain_path(CONF), config_name=name
                )(job)()

        COMMANDS[name] = run
        return run

    return decorate


def check_working_directory() -> None:
    """Refuse the only working directories that Hydra cannot record in its configuration.

    Raises:
        InputError: for one with `${` and without `}` in its name.
    """
    try:
        OmegaConf.create({"folder": str(Path.cwd())})
    except OmegaConfBaseException:
        raise InputError(
            f"{Path.cwd()}: Hydra cannot read ${{ without }} in the name of the working directory; "
            "start the command in another folder, and give paths in full"
        ) from None


def instantiate(node: DictConfig, *args: Any, **options: Any) -> Any:
    """Build the object of a configuration node with a `_target_`, from plain values.

    Hydra's own function resolves values twice, which changes a path with `${` in it.

    Raises:
        InputError: for whatever the object is not built from; names the node.
    """
    values = {**plain(node), **options}
    target, partial = values.pop("_target_"), values.pop("_partial_", False)
    try:
        call = hydra.utils.get_object(target)
        return functools.partial(call, *args, **values) if partial else call(*args, **values)
    except InputError:
        raise
    except Exception as error:
        reason = error if isinstance(error, TypeError) else repr(error)
        raise InputError(f"{node._get_full_key(None)}: {reason}") from error


def plain(node: Any) -> Any:
    """Return a configuration node as plain, resolved containers."""
    return OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node


def open_run(cfg: DictConfig, kind: str, name: str, main: bool = True) -> Run:
    """Open the run of a configuration; where and how it is saved and shown is no part."""
    left_out = ("resume", "out", "save_every", "false_color", "devices", "nodes", "timeout")
    config = escaped({k: v for k, v in plain(cfg).items() if k not in left_out})
    text = OmegaConf.to_yaml(OmegaConf.create(config), resolve=True)
    return Run.open(cfg.out, kind, name, text, cfg.get("resume", False), main)


def origin(kind: str, folder: str | Path, data: str) -> str:
    """Return a line that names a generator or encoder, and whether it was trained on other data."""
    training = artifact.read_card(generator_folder(folder), kind)["training"]
    source = printable(str(training.get("data", "unknown data")))
    return f"{kind} {folder}, trained on {source}" + (f", not on {data}" if source != data else "")


def export_folder(cfg: DictConfig, source: str | Path) -> Path:
    """Return the folder that an export creates.

    It is `cfg.folder`, else `export` in the run of a generator or encoder, else `exports/<name>`.

    Raises:
        InputError: for `out=`, which named the new folder in version 0.1.
    """
    if cfg.out != "runs" and not Path(cfg.out).is_dir():
        instead = shlex.quote(f"folder={cfg.out}")
        raise InputError(
            f"out: expected the folder of all runs, got {cfg.out}; {instead} is where the export "
            "goes"
        )
    folder = generator_folder(source)
    in_run = (folder.parent / RESULT).is_file()
    return Path(cfg.folder or (folder.parent / "export" if in_run else f"exports/{folder.name}"))


def next_command(cfg: DictConfig, *words: str) -> str:
    """Return a command to type next, which finds the runs of this one."""
    out = [] if cfg.out == "runs" else [shlex.quote(f"out={cfg.out}")]
    return " ".join(["infomin", *words, *out])


def report_command(cfg: DictConfig) -> str:
    """Return the command that shows all runs in one page."""
    return f"infomin report {shlex.quote(f'runs={cfg.out}')}"


def say(text: str) -> None:
    """Print a line, in the first process only."""
    if is_first_process():
        print(text)


def show(label: str, path: Path) -> None:
    """Print a path alone on its line, relative to the working directory where that is shorter."""
    shown = min(str(path), os.path.relpath(path), key=len)
    print(f"{label}:\n  {shown}")
