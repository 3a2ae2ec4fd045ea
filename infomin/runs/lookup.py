"""Run folders: a new one, the unfinished run to continue, the newest product."""

from pathlib import Path

from infomin.core import files
from infomin.core.errors import InputError

CONFIG, RESULT = "config.yaml", "result.json"
"""Files that a run writes first and last."""


def newest(out: str, kind: str, product: str) -> Path:
    """Return the path of a product, such as "encoder", of the newest finished run of a command.

    Raises:
        InputError: when there is none.
    """
    folders = [result.parent for result in files.user_path(out).glob(f"{kind}/*/{RESULT}")]
    folders = [folder for folder in folders if (folder / product).exists()]
    if not folders:
        command = f"infomin {kind.replace('_', '-')}"
        raise InputError(
            f"no finished run of {command} in {Path(out).absolute()}; run it first, or name a path"
        )
    return max(folders, key=lambda folder: (folder / RESULT).stat().st_mtime_ns) / product


def new_folder(runs: Path, stem: str) -> Path:
    """Make a folder of a new name; another command may take a name at the same moment."""
    folder, number = runs / stem, 1
    while True:
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1
            folder = runs / f"{stem}-{number}"


def folder_to_resume(runs: Path, config: str, resume: bool | str) -> Path:
    """Return the folder of an unfinished run of a configuration, the newest one or a given one.

    Raises:
        InputError: for a folder without such a run, or when there is none.
    """
    folder = files.user_path(resume) if isinstance(resume, str) else unfinished(runs, config)
    if folder is None:
        raise InputError(
            f"resume: no unfinished run of this configuration in {runs}; start without resume, or "
            "set resume=auto"
        )
    if not (folder / CONFIG).is_file():
        raise InputError(f"resume: {folder} is not a run")
    if (folder / RESULT).exists():
        raise InputError(f"resume: {folder} is finished; start without resume")
    if not _has_config(folder, config):
        raise InputError(f"resume: {folder} has another configuration; start a new run")
    return folder


def unfinished(runs: Path, config: str) -> Path | None:
    """Return the folder of the newest unfinished run of a configuration, or None."""
    same = [
        path.parent
        for path in runs.glob(f"*/{CONFIG}")
        if not (path.parent / RESULT).exists() and _has_config(path.parent, config)
    ]
    return max(same, key=lambda path: path.stat().st_mtime_ns, default=None)


def _has_config(folder: Path, config: str) -> bool:
    """Return whether a run has a configuration; a stranger's file may hold anything."""
    try:
        return (folder / CONFIG).read_bytes() == files.encoded(config)
    except OSError:
        return False
