"""The sweet spot is found where there is one, and nowhere else."""

import itertools
import math

import numpy as np
import pytest
from scipy.stats import f as fisher

from infomin.experiments.sweet_spot import concave_peak, find_order_peak, find_sweet_spot

PLACES = np.linspace(0.8, 5.2, 8)


def series(curve, noise=0.004, seeds=3, places=PLACES, seed=0):
    """Return runs along a curve by setting; settings and seeds both deviate from it."""
    random = np.random.default_rng(seed)
    settings = {}
    for x in places:
        own = noise * random.normal()
        runs = settings.setdefault(f"d={x:.2f}", [])
        for _ in range(seeds):
            i_nce = x + 0.05 * random.normal()
            runs.append((i_nce, curve(i_nce) + own + noise * random.normal()))
    return settings


def reverse_u(x):
    return 0.64 - 0.01 * (x - 2.9) ** 2


@pytest.mark.parametrize("seed", range(3))
def test_a_known_peak_is_found_within_its_interval(seed):
    spot = find_sweet_spot(series(reverse_u, seed=seed), resamples=200)
    assert spot.verdict == "peak" and abs(spot.peak - 2.9) < 0.25
    assert spot.interval[0] < 2.9 < spot.interval[1] and spot.p_curve < 0.01
    assert (spot.settings, spot.runs) == (8, 24)


def test_without_noise_the_peak_is_exact():
    points = {str(x): [(x, reverse_u(x))] for x in PLACES}
    spot = find_sweet_spot(points, resamples=200)
    assert spot.verdict == "peak"
    assert spot.peak == pytest.approx(2.9) and spot.interval[0] == pytest.approx(2.9)


@pytest.mark.parametrize(("slope", "verdict"), [(0.03, "rises"), (-0.03, "falls")])
@pytest.mark.parametrize("bend", [0.0, 0.03])
def test_monotone_accuracy_has_no_find_sweet_spot(slope, verdict, bend):
    """Also where it flattens: a parabola then peaks, but beyond what was measured."""

    def curve(x):
        near = x if slope > 0 else 6 - x
        return 0.5 + abs(slope) * near - bend * abs(slope) * near**2

    spot = find_sweet_spot(series(curve, 0.002), resamples=100)
    assert spot.verdict == verdict and math.copysign(1, spot.slope) == math.copysign(1, slope)
    assert f"none in the data: accuracy {verdict} throughout, by " in str(spot)


def test_an_upward_curve_is_no_find_sweet_spot():
    spot = find_sweet_spot(series(lambda x: 0.5 + 0.01 * x**2), resamples=100)
    assert spot.verdict == "rises" and spot.peak == math.inf and spot.p_curve > 0.5
    spot = find_sweet_spot(series(lambda x: 0.5 + 0.02 * (x - 3) ** 2), resamples=100)
    assert spot.verdict == "valley" and "accuracy falls and rises again" in str(spot)
    # a parabola would rise again here, the settings do not
    spot = find_sweet_spot(series(lambda x: 0.5 + 0.1 * math.exp(0.8 - x), 0.0005), resamples=100)
    assert spot.p_curve > 0.95 and spot.verdict == "falls"


def test_noise_alone_is_seldom_taken_for_a_peak():
    verdicts = [
        find_sweet_spot(series(lambda x: 0.6, seed=seed), seed, 50).verdict for seed in range(20)
    ]
    assert verdicts.count("flat") >= 14 and verdicts.count("peak") <= 1


def test_a_peak_at_the_edge_is_not_claimed():
    spot = find_sweet_spot(series(lambda x: 0.6 - 0.004 * (x - 4.8) ** 2, 0.01), resamples=100)
    assert spot.verdict != "peak"
    assert spot.interval[1] > spot.range[1] or spot.p_curve > 0.05


def test_too_few_settings_tell_nothing_however_many_seeds():
    points = series(reverse_u, places=PLACES[:3], seeds=20)
    spot = find_sweet_spot(points)
    assert spot.verdict == "too few" and math.isnan(spot.peak)
    assert (
        str(spot) == "turning point: cannot be told from 3 settings, 60 runs; 4 settings at least"
    )
    assert find_sweet_spot({}).verdict == "too few"
    same = {str(i): [(1.0, 0.1 * i)] for i in range(6)}
    assert find_sweet_spot(same).verdict == "too few", "one place of I_NCE"


def test_the_test_of_curvature_is_the_f_test_against_a_line():
    points = series(reverse_u, 0.02, seeds=1, seed=3)
    x, y = np.array([run for runs in points.values() for run in runs]).T
    rest = [np.square(y - np.polyval(np.polyfit(x, y, n), x)).sum() for n in (1, 2)]
    ratio = (rest[0] - rest[1]) / (rest[1] / (len(x) - 3))
    two_sided = fisher.sf(ratio, 1, len(x) - 3)
    spot = find_sweet_spot(points, resamples=20)
    assert spot.p_curve == pytest.approx(two_sided / 2)


def test_seeds_do_not_count_as_settings():
    """The same means with more runs behind them are no more evidence for a shape."""
    one = series(reverse_u, 0.01, seeds=1)
    many = {setting: 10 * runs for setting, runs in one.items()}
    few, more = (find_sweet_spot(points, resamples=20) for points in (one, many))
    assert few.p_curve == pytest.approx(more.p_curve) and more.runs == 10 * few.runs


def test_the_interval_is_a_function_of_the_seed_and_of_nothing_else():
    points = series(reverse_u, 0.01)
    one, same, other = (find_sweet_spot(points, seed, 100) for seed in (0, 0, 1))
    assert one == same and one.interval != other.interval
    assert one.peak == other.peak


def test_a_concave_fit_of_a_line_or_a_valley_peaks_at_an_end_of_the_world():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert concave_peak(x, (x - 2) ** 2) == -math.inf and concave_peak(x, x**2) == math.inf
    assert concave_peak(x, -((x - 1.2) ** 2)) == pytest.approx(1.2)
    assert concave_peak(x[:2], -x[:2]) == -math.inf


def test_the_sentence_says_all_that_a_report_needs():
    text = str(find_sweet_spot(series(reverse_u), resamples=200))
    assert text.startswith("turning point: accuracy peaks at I_NCE = 2.")
    assert "nats [" in text and "curvature p = " in text and text.endswith("8 settings, 24 runs")
    assert "\n" not in text
    given = str(find_sweet_spot(series(reverse_u), resamples=20, score="mean IoU"))
    assert given.startswith("turning point: mean IoU peaks at")


def order_peak(accuracies):
    """Test the order of settings at I_NCE = 0, 1, 2, ..., given the accuracies of each."""
    return find_order_peak({f"{i}": [(i, a) for a in runs] for i, runs in enumerate(accuracies)})


def steep(x):
    """Gently up, steeply down: no parabola."""
    return 0.5 + 0.02 * x - 0.4 * max(0.0, x - 4.5) ** 2


def test_a_peak_that_is_no_parabolas_is_known_by_its_highest_setting():
    places = np.array([0.8, 1.8, 2.8, 3.8, 4.6, 5.2])
    spot = find_sweet_spot(series(steep, 0.001, places=places), resamples=100)
    assert spot.verdict == "order peak" and spot.p_curve > 0.05
    assert spot.order_peak.setting == "d=4.60" and spot.order_peak.p_ends < 0.01
    assert spot.order_peak.low == pytest.approx(3.8, abs=0.1)
    assert spot.order_peak.high == pytest.approx(5.2, abs=0.1)
    assert spot.order_peak.p_order == pytest.approx(30 / 720)
    assert "accuracy is highest at I_NCE = 4.6" in str(spot) and "a parabola fits no" in str(spot)


def test_the_share_of_orders_that_have_a_summit_is_counted():
    values = range(6)
    orders = [
        o
        for o in itertools.permutations(values)
        if 0 < o.index(5) < 5
        and [*o[: o.index(5)]] == sorted(o[: o.index(5)])
        and [*o[o.index(5) :]] == sorted(o[o.index(5) :], reverse=True)
    ]
    assert len(orders) == 2**5 - 2
    spot = order_peak([[v, v + 0.1, v - 0.1] for v in orders[7]])
    assert spot.p_order == pytest.approx(len(orders) / 720)


@pytest.mark.parametrize(
    ("means", "why"),
    [
        ([1, 2, 3, 4, 5, 6], "highest at an end"),
        ([1, 3, 2, 6, 5, 4], "not rising all the way"),
        ([1, 3, 5, 4, 2], "five settings"),
    ],
)
def test_no_summit_without_evidence(means, why):
    sure = [[m, m + 0.1, m - 0.1] for m in means]
    assert order_peak(sure) is None, why
    peaked = [1, 2, 5, 4, 3, 2]
    apart = [[m, m + 0.1, m - 0.1] for m in peaked]
    assert order_peak(apart).setting == "2"
    assert order_peak([[m] for m in peaked]) is None, "single runs"
    assert order_peak([[m, m] for m in peaked]).p_ends == 0, "seeds that do not vary"
    assert order_peak([[m, m + 9, m - 9] for m in peaked]) is None, "seeds vary more"
