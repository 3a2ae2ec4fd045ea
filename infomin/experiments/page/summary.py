"""The summary of a table: the best row, its lead, and whether the lead is significant."""

from typing import NamedTuple

from infomin.experiments.results import PairedDifference, ResultRow, ResultTable

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
    lead = leads[0][1]
    evidence, significant = _evidence(lead), lead is not None and lead.significant
    behind = [row.title for row, lead in leads[1:] if lead and lead.significant and lead.mean > 0]
    if behind:
        more = f" and {len(behind) - _MOST_NAMES} more" if len(behind) > _MOST_NAMES else ""
        evidence += f" Its lead over {', '.join(behind[:_MOST_NAMES])}{more} is significant."
    return Summary(headline, evidence, significant)


def difference(row: ResultRow, table: ResultTable) -> str:
    """Return the difference from the first row, with its interval."""
    if row is table.rows[0]:
        return "–"
    gain = table.difference(row, table.rows[0])
    if gain is None:
        return "no common seed"
    if gain.low is None or gain.high is None:
        return _signed(gain.mean)
    mark = "●" if gain.significant else "○"
    return f"{_signed(gain.mean)} [{_signed(gain.low)}, {_signed(gain.high)}] {mark}"


def _evidence(lead: PairedDifference | None) -> str:
    if lead is None or lead.low is None or lead.high is None:
        common = "no seed" if lead is None else "one seed"
        return f"The rows have {common} in common, so the lead can be chance."
    evidence = (
        f"95 % interval {_signed(lead.low)} to {_signed(lead.high)}, seed by seed; "
        f"ahead in {lead.wins} of {lead.n} seeds."
    )
    doubt = " The interval contains 0, so the lead can be chance. Run more seeds."
    return evidence if lead.significant else evidence + doubt


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", "−")
