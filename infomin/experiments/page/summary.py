"""The summary of a table: the best row, its lead, and whether the lead is significant."""

from typing import NamedTuple

from infomin.experiments.results import PairedDifference, ResultTable

_MOST_NAMES = 3


class Summary(NamedTuple):
    """The first lines of a page."""

    headline: str  # the best row and its lead
    evidence: str  # for the lead
    significant: bool | None  # whether the interval of the lead excludes 0; None for a single row


def summarize(table: ResultTable) -> Summary | None:
    """Return the summary of a table; None if it has no scores."""
    ranked = [(table.rows[i], score) for i, _, score in table.points]
    if not ranked:
        return None
    (first, best), *others = ranked
    if not others:
        score = f"{best.mean:.1f}{'' if best.std is None else f' ± {best.std:.1f}'} %"
        return Summary(f"{first.title}: {score}", "It is the only row of its table.", None)
    second, next_best = others[0]
    points = best.mean - next_best.mean
    headline = f"{first.title} leads {second.title} by {points:.1f} points"
    leads = [(row, table.difference(first, row)) for row, _ in others]
    evidence, significant = _evidence(leads[0][1])
    behind = [row.title for row, lead in leads[1:] if lead and lead.significant and lead.mean > 0]
    if behind:
        more = f" and {len(behind) - _MOST_NAMES} more" if len(behind) > _MOST_NAMES else ""
        evidence += f" Its lead over {', '.join(behind[:_MOST_NAMES])}{more} is significant."
    return Summary(headline, evidence, significant)


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+.1f}".replace("-", "−")


def _evidence(lead: PairedDifference | None) -> tuple[str, bool]:
    if lead is None:
        return "The rows have no seed in common, so the lead can be chance.", False
    if lead.low is None or lead.high is None:
        return "The rows have one seed in common, so the lead can be chance.", False
    evidence = (
        f"95 % interval {signed(lead.low)} to {signed(lead.high)}, seed by seed; "
        f"ahead in {lead.wins} of {lead.n} seeds."
    )
    if lead.significant:
        return evidence, True
    return f"{evidence} The interval contains 0, so the lead can be chance. Run more seeds.", False
