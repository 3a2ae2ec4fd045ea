"""Detection of collapse: compare the metrics of monitoring with thresholds, and explain findings.

The thresholds are far from the values of trainings that worked. Encoders with 128 numbers, trained
for 20 epochs on Imagenette by raw, whole and augmented views, had deviations of 0.81 to 1.00 and
effective ranks of 46 to 60 on held-out images; before training, deviations were 0.07 to 0.30.
Features of 256 images had deviations of at least 0.48 and effective ranks of at least 118, in 108
measurements of 27 trainings.
"""

from collections.abc import Mapping, Sequence

Metrics = Mapping[str, float]
"""The metrics of one measurement, by name; see `monitoring.Monitor`."""

DEVIATION = 0.1
"""Embeddings or features with a smaller deviation are collapsed to a point (SimSiam,
arXiv:2011.10566). If all coordinates vary alike, the mean cosine of two of them is above 0.99."""
RANK = 0.05
"""Smallest effective rank without dimensional collapse, as a share of the largest possible one
(Jing et al. 2022, arXiv:2110.09348)."""
LEAST_RANK = 2.0
"""Smallest effective rank without collapse in low dimensions: a mean and one direction."""
NO_I_NCE = 0.02
"""Share of log K below which the loss is at log K, as in the game (`training.diagnosis`)."""


def find_collapses(metrics: Metrics) -> dict[str, str]:
    """Return one line per kind of collapse, by kind; empty without collapse."""
    lines: dict[str, str] = {}
    for name, deviation in metrics.items():
        if name.startswith("deviation_"):
            view = name.removeprefix("deviation_")
            rank, largest = metrics[f"rank_{view}"], metrics["directions"]
            lines |= _check_spread(f"embeddings of view {view}", view, deviation, rank, largest)
    if "feature_directions" in metrics:  # missing in logs of earlier versions
        names = ("feature_deviation", "feature_rank", "feature_directions")
        lines |= _check_spread("features", "features", *(metrics[name] for name in names))
    if "i_nce" in metrics and metrics["i_nce"] < NO_I_NCE * metrics["log_k"]:
        lines["i_nce"] = (
            f"the loss is at log K: I_NCE {round(metrics['i_nce'], 2) + 0:.2f} of "
            f"{metrics['log_k']:.2f} nats, below {NO_I_NCE:.0%}, so the encoders find nothing that "
            "the views share"
        )
    return lines


def collapse_history(measurements: Sequence[Metrics]) -> list[str]:
    """Return one line per collapse of a training, with its epochs, from all its measurements."""
    active: dict[str, tuple[float, str]] = {}
    lines = []
    for metrics in measurements:
        now = find_collapses(metrics)
        for kind in [kind for kind in active if kind not in now]:
            start, text = active.pop(kind)
            lines.append(f"epochs {start:g} to {metrics['epoch']:g}, then over: {text}")
        for kind, text in now.items():
            active.setdefault(kind, (metrics["epoch"], text))
    return lines + [f"since epoch {start:g}: {text}" for start, text in active.values()]


def _check_spread(
    name: str, kind: str, deviation: float, rank: float, largest: float
) -> dict[str, str]:
    """Return how vectors have collapsed: to a point, or to few directions."""
    least = max(LEAST_RANK, RANK * largest)
    if deviation < DEVIATION:
        text = f"deviation {deviation:.2g} of 1/sqrt(d), below {DEVIATION}"
        return {f"place_{kind}": f"{name} are almost equal for all images: {text}"}
    if rank < least:
        text = f"effective rank {rank:.1f} of {largest:.0f}, below {least:.1f}"
        return {f"rank_{kind}": f"{name} have few directions: {text}"}
    return {}
