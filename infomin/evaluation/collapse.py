"""Has a pretraining collapsed? What monitoring measured, told in plain words where it is bad.

Thresholds stand far from everything seen to learn: encoders with 128 numbers, trained 20 epochs on
Imagenette by raw, whole and augmented views, had deviations of 0.81 to 1.00 and effective ranks of
46 to 60 on held-out images; as they start, deviations of 0.07 to 0.30. Features of 256 images had
deviations of 0.48 or more and effective ranks of 118 or more, in 108 looks at 27 trainings.
"""

from collections.abc import Iterator, Mapping, Sequence

Found = Mapping[str, float]
"""What was measured at one time, by name; see `monitoring.Monitor`."""

DEVIATION = 0.1
"""Embeddings or features whose deviation is below this stand in one place (SimSiam's collapse,
arXiv:2011.10566): where all coordinates vary alike, two of them have a mean cosine above 0.99."""
RANK = 0.05
"""Share of the directions there could be, below which they have collapsed into a few
(dimensional collapse: Jing et al. 2022, arXiv:2110.09348)."""
LEAST_RANK = 2.0
"""Where there are few numbers: a mean and one direction."""
NO_I_NCE = 0.02
"""Share of log K below which I_NCE tells nothing, as of a game (`training.diagnosis`)."""


def collapses(found: Found) -> dict[str, str]:
    """Return what has collapsed, by kind, one line each; nothing is good news.

    Arguments:
        found: the measures of one time.
    """
    told: dict[str, str] = {}
    for view in _views(found):
        spread = found[f"deviation_{view}"], found[f"rank_{view}"], found["directions"]
        told |= _lying(f"embeddings of view {view}", f"_{view}", *spread)
    if "feature_directions" in found:  # logs of earlier versions lack it
        spread = found["feature_deviation"], found["feature_rank"], found["feature_directions"]
        told |= _lying("features", "_features", *spread)
    if "i_nce" in found and found["i_nce"] < NO_I_NCE * found["log_k"]:
        told["i_nce"] = (
            f"the loss is at log K: I_NCE {round(found['i_nce'], 2) + 0:.2f} of "
            f"{found['log_k']:.2f} nats, below {NO_I_NCE:.0%}, so the views tell nothing of each "
            "other"
        )
    return told


def history(looks: Sequence[Found]) -> list[str]:
    """Return what collapsed along a training, one line each, with the epochs it lasted.

    Arguments:
        looks: what was found, in order of time.
    """
    told: dict[str, tuple[float, str]] = {}
    lines = []
    for look in looks:
        now = collapses(look)
        for kind in [kind for kind in told if kind not in now]:
            began, text = told.pop(kind)
            lines.append(f"epochs {began:g} to {look['epoch']:g}, then over: {text}")
        for kind, text in now.items():
            told.setdefault(kind, (look["epoch"], text))
    return lines + [f"since epoch {began:g}: {text}" for began, text in told.values()]


def _lying(what: str, kind: str, deviation: float, rank: float, most: float) -> dict[str, str]:
    """Return how vectors have collapsed: into one place or, at most, into few directions."""
    least = max(LEAST_RANK, RANK * most)
    if deviation < DEVIATION:
        told = f"deviation {deviation:.2g} of 1/sqrt(d), below {DEVIATION}"
        apart = "so the encoder tells images hardly apart"
        return {f"place{kind}": f"{what} are in one place: {told}, {apart}"}
    if rank < least:
        told = f"effective rank {rank:.1f} of {most:.0f}, below {least:.1f}"
        return {f"rank{kind}": f"{what} lie in few directions: {told}"}
    return {}


def _views(found: Found) -> Iterator[int]:
    """Yield the numbers of the views whose embeddings were measured."""
    prefix = "deviation_"
    yield from (int(name.removeprefix(prefix)) for name in found if name.startswith(prefix))
