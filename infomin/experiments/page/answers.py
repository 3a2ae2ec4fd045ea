"""The answer of a table in two sentences: which views win, by how much, and is that sure?"""

from typing import NamedTuple

from infomin.experiments.comparison import Comparison
from infomin.experiments.spread import Lead

_NAMED = 3


class Answer(NamedTuple):
    """What a reader wants to know first.

    Attributes:
        headline: who leads, and by how much.
        proof: what speaks for it.
        sure: None where there is nothing to be sure of.
    """

    headline: str
    proof: str
    sure: bool | None


def answer(table: Comparison) -> Answer | None:
    """Return the answer of a table, None where accuracies were not measured."""
    ranked = [(row, found) for row in table.rows if (found := row.score)]
    if not ranked:
        return None
    (first, best), *others = ranked
    if not others:
        told = f"{best.mean:.1f}{'' if best.std is None else f' ± {best.std:.1f}'} %"
        return Answer(f"{first.title}: {told}", "It is alone in its table.", None)
    second, next_best = others[0]
    points = best.mean - next_best.mean
    headline = f"{first.title} leads {second.title} by {points:.1f} points"
    leads = [(row, table.lead(first, row)) for row, _ in others]
    proof, sure = _proof(leads[0][1])
    behind = [row.title for row, found in leads[1:] if found and found.sure and found.mean > 0]
    more = f" and {len(behind) - _NAMED} more" if len(behind) > _NAMED else ""
    named = f" It surely leads {', '.join(behind[:_NAMED])}{more}." if behind else ""
    return Answer(headline, proof + named, sure)


def _proof(found: Lead | None) -> tuple[str, bool]:
    if found is None:
        return "They have no seed in common, so nothing tells this from chance.", False
    if found.low is None or found.high is None:
        return "One seed in common: nothing tells this from chance.", False
    told = f"95 % interval {signed(found.low)} to {signed(found.high)}, seed by seed; "
    told += f"ahead in {found.ahead} of {found.n} seeds."
    if found.sure:
        return told, True
    return f"{told} The interval holds 0, so that this can be chance; more seeds would tell.", False


def signed(value: float) -> str:
    """Return a difference with its sign, of a real minus."""
    return f"{value:+.1f}".replace("-", "−")
