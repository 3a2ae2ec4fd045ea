"""The game: steps per second of `Game` with `budget=small`, and the shares of their time.

There is no rival: no other code of this game is public. Modes semi and unsup, numbers from `conf/`
(16-px patches, batch 128 and 64 labelled), in the precision that `auto` chooses.

The shares are data (crops), g (forward and backward), f and c (forward, loss, backward) and their
optimisers. Timers run in separate rounds, so that they do not slow down the steps per second.

Target: at most 5 % of the time for data.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import small
from rows import Row, main
from timing import interleaved, per_step

from infomin.data.photos import photos
from infomin.training.view_game import Game

PLAYERS = ("data", "g", "f", "c", "optimisers")


class Timers:
    """Time spent in functions, without the time in other timed functions inside them."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def add(self, owner: Any, function: str, label: str) -> None:
        """Time a function of an object."""
        call: Callable[..., Any] = getattr(owner, function)

        def timed(*arguments: Any) -> Any:
            self._inside.append(0.0)
            began = time.perf_counter()
            result = call(*arguments)
            seconds = time.perf_counter() - began
            self.spent[label] += seconds - self._inside.pop()
            self._inside[-1] += seconds
            return result

        setattr(owner, function, timed)


def add_timers(game: Game) -> Timers:
    """Time every player of a game."""
    timers = Timers()
    timers.add(game.batches, "crops", "data")
    if game.settings.classified:
        timers.add(game.labelled_batches, "crops", "data")
    timers.add(game.views, "split", "g")
    timers.add(game, "_estimate", "f")
    timers.add(game, "_classify", "c")
    timers.add(game, "_move", "optimisers")
    timers.add(game, "advance", "g")  # the rest of a step is the backward pass through g
    return timers


def measure(quick: bool) -> list[Row]:
    """Measure both modes, then the shares of their time."""
    rounds, steps, skip = (1, 5, 2) if quick else (7, 50, 5)
    data = photos()
    games = {mode: small.game(mode, data) for mode in ("semi", "unsup")}
    step = {mode: partial(next, iter(game)) for mode, game in games.items()}

    m = interleaved({mode: per_step(step[mode], 1, skip, steps) for mode in games}, rounds)
    rows = [Row(f"game, {mode}", "steps/s", m[mode]) for mode in games]

    for mode, game in games.items():
        timers = add_timers(game)
        shares: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            timers.spent.clear()
            for _ in range(steps):
                step[mode]()
            total = sum(timers.spent.values())
            for player in PLAYERS:
                shares[player].append(timers.spent[player] / total)
        for player in PLAYERS:
            if any(shares[player]):
                most = 0.05 if player == "data" else None
                rows.append(
                    Row(f"game, {mode}: time of {player}", "of 1", shares[player], most=most)
                )
    return rows


if __name__ == "__main__":
    main(measure)
