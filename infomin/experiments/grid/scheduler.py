"""The scheduler of a grid: it runs the commands that have not finished, cells in parallel.

A cell records every finished command with its resolved settings. A command whose record is equal is
not run again. So an interrupted grid continues where it stopped, and grids over the same data share
cells: an encoder can be evaluated in several ways. A cell that another grid runs, on this machine
or another one, is left to it.
"""

import time
from collections.abc import Callable, Mapping, Sequence

from filelock import FileLock, Timeout

from infomin.core import files
from infomin.core.errors import InputError
from infomin.experiments.grid.launchers import Job, Launcher
from infomin.experiments.grid.progress import GridProgress
from infomin.experiments.grid.task import C, Cell, Command, ResolvedCommand, Settings, Task
from infomin.runs.signals import Interrupted, collected

_POLL, _LOCK = 0.05, ".lock"  # seconds; a file


def run(
    todo: Mapping[C, Sequence[Command]],
    resolve: Callable[[Command], Settings],
    launcher: Launcher,
    jobs: int,
    progress: GridProgress,
    describe: Callable[[C], str],
    check: Callable[[Command], None] = lambda command: None,
) -> None:
    """Run every command that has not finished, `jobs` cells at a time.

    All commands are resolved and checked before the first one runs.

    Arguments:
        todo: cells and their commands.
        resolve: returns the settings of a command, defaults included. A command that finished with
            other settings runs again, with all that build on it.
        launcher: runs the commands of a cell.
        jobs: number of cells at a time.
        progress: shows finished cells, and the state of running ones.
        describe: summarises the results of a finished cell.
        check: raises an InputError for a command that is known to fail.

    Raises:
        InputError: if a command is wrong or fails, with the last line it printed. Cells that run
            at that time are waited for.
        Interrupted: at SIGTERM or Ctrl-C. Running commands save and stop.
    """
    resolved: dict[Cell, list[ResolvedCommand]] = {
        cell: [{"command": [*command], "settings": resolve(command)} for command in commands]
        for cell, commands in todo.items()
    }
    tasks: dict[C, Task] = {}
    for cell in todo:
        needed = resolved[cell.dependency][:1] if cell.dependency != cell else []
        tasks[cell] = Task(cell, needed, resolved[cell])
        for command in tasks[cell].left:
            try:
                check(command)
            except InputError as error:
                raise InputError(f"{cell}: {command[0]}: {error}") from None
    # games first: other cells can run meanwhile, and then those that need a game
    waiting = [cell for cell in todo if tasks[cell].left]
    waiting.sort(key=lambda cell: (cell.seed, cell.dependency != cell, -len(todo[cell])))
    total = len(waiting)
    progress.show_line(
        f"{len(todo)} cells, {len(todo) - total} done before, {jobs} at a time, {launcher}"
    )
    running: dict[C, tuple[Job, FileLock]] = {}
    elsewhere: set[C] = set()
    failure: Exception | None = None

    def end(cell: C) -> None:
        number = total - len(waiting) - len(running)
        progress.show_line(f"[{number}/{total}] {cell}: {describe(cell)}")

    with collected() as received, progress:
        while not received and (running or (waiting and not failure)):
            try:
                for cell in [] if failure else [*waiting]:
                    others = {*waiting, *running} - {cell}
                    if len(running) >= jobs or cell.dependency in others:
                        continue
                    lock = _lock(cell)
                    if lock is None:
                        if cell not in elsewhere:
                            progress.show_line(f"{cell}: another grid runs it; waiting")
                        elsewhere.add(cell)
                        continue
                    waiting.remove(cell)
                    tasks[cell].read()
                    if tasks[cell].left:
                        running[cell] = launcher.start(tasks[cell]), lock
                    else:
                        lock.release()
                        end(cell)
                for cell, (job, lock) in [*running.items()]:
                    try:
                        if not job.ended():
                            continue
                    except BaseException:
                        del running[cell]
                        lock.release()
                        raise
                    del running[cell]
                    lock.release()
                    end(cell)
            except Exception as error:  # raised below, once running cells have ended
                failure = failure or error
            progress.show(tasks[cell] for cell in running)
            time.sleep(_POLL)
    if received:
        for job, _ in running.values():
            job.stop()
        for job, lock in running.values():
            job.wait()
            lock.release()
        stopped = "stopped; the same command continues with the remaining cells"
        raise Interrupted(received[0], stopped)
    if failure:
        raise failure


def _lock(cell: Cell) -> FileLock | None:
    """Return the lock of a cell; None while another grid holds it."""
    lock = FileLock(files.make_folder(cell.folder) / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return None
    except (OSError, NotImplementedError):  # a file system without locks
        pass
    return lock
