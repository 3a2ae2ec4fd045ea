"""The game: steps a second of `Game` with `budget=small`, and where their time goes.

There is no rival: nobody else published this game. Modes semi and unsup, numbers from `conf/`
(16-px patches, batch 128 and, labelled, 64), in the precision that `auto` chooses.

The shares: data (crops), g (forward and backward), f and c (forward, loss, backward), and the
optimisers of all three. Clocks are put around the learner's own functions for rounds of their own,
so that they cost the steps a second nothing. Target: at most 5 % of the time for data.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

import small
from infomin.training.view_learning import Game
from rows import Row, main
from timing import interleaved, per_step

from infomin.data import photos

PLAYERS = ("data", "g", "f", "c", "optimisers")


class Clocks:
    """Time spent in functions, without what other clocked functions inside them took."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self._inside = [0.0]

    def put(self, owner: Any, function: str, label: str) -> None:
        """Put a clock around a function of an object."""
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


def put_clocks(game: Game) -> Clocks:
    """Put a clock around every player."""
    clocks = Clocks()
    clocks.put(game.batches, "crops", "data")
    if game.settings.classified:
        clocks.put(game.labelled_batches, "crops", "data")
    clocks.put(game.views, "split", "g")
    clocks.put(game, "_estimate", "f")
    clocks.put(game, "_classify", "c")
    clocks.put(game, "_move", "optimisers")
    clocks.put(game, "advance", "g")  # what is left of a step is the way back through g
    return clocks


def measure(quick: bool) -> list[Row]:
    """Measure both modes in turn, then look inside."""
    rounds, steps, skip = (1, 5, 2) if quick else (7, 50, 5)
    data = photos()
    games = {mode: small.game(mode, data) for mode in ("semi", "unsup")}
    step = {mode: partial(next, iter(game)) for mode, game in games.items()}

    m = interleaved({mode: per_step(step[mode], 1, skip, steps) for mode in games}, rounds)
    rows = [Row(f"game, {mode}", "steps/s", m[mode]) for mode in games]

    for mode, game in games.items():
        clocks = put_clocks(game)
        shares: dict[str, list[float]] = defaultdict(list)
        for _ in range(rounds):
            clocks.spent.clear()
            for _ in range(steps):
                step[mode]()
            total = sum(clocks.spent.values())
            for player in PLAYERS:
                shares[player].append(clocks.spent[player] / total)
        for player in PLAYERS:
            if any(shares[player]):
                most = 0.05 if player == "data" else None
                rows.append(
                    Row(f"game, {mode}: time of {player}", "of 1", shares[player], most=most)
                )
    return rows


if __name__ == "__main__":
    main(measure)
