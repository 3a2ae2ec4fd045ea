"""Rows differ in the seed only, tables in the protocol, and a difference has an interval."""

import statistics
from dataclasses import replace

import pytest
from recorded import judged, pretraining, record, several
from scipy import stats

from infomin.experiments.comparison import differing, result_tables
from infomin.experiments.page.sections import table_title
from infomin.experiments.page.summary import summarize
from infomin.experiments.results import I_NCE, IOU, TOP1, mean_and_std, metrics, paired_difference
from infomin.experiments.run_index import scan

GAME = {"data": "photos", "seed": 0, "steps": 40}


def tables(root):
    return result_tables(scan(root).runs)


def test_runs_without_i_nce_stand_in_the_table_of_those_that_have_one(tmp_path):
    several(tmp_path, {"raw-rgb": [0.5, 0.6]})
    for seed in (0, 1):
        config = pretraining(seed=seed, loss__name="l1", views__color="rgb")
        record(tmp_path, f"l1-{seed}", config, judged(0.4, "raw-rgb", seed=seed) | {"i_nce": None})
    (table,) = result_tables(scan(tmp_path).runs)
    contrast, prediction = table.rows
    assert (
        contrast.mean_and_std(I_NCE).mean == pytest.approx(1.05)
        and prediction.mean_and_std(I_NCE) is None
    )
    assert prediction.title == "raw-rgb, loss.name l1"
    assert table.protocol["result: I_NCE cap"] == 4.85
    (alone,) = result_tables([run for run in scan(tmp_path).runs if run.result["i_nce"] is None])
    assert "result: I_NCE cap" not in alone.protocol and len(alone.records) == 2


def test_rows_differ_in_the_seed_only_and_are_sorted_by_accuracy(tmp_path):
    several(tmp_path, {"raw-rgb": [0.50, 0.60, 0.55], "raw-ydbdr": [0.70]})
    (table,) = tables(tmp_path)
    assert [(row.name, row.seeds) for row in table.rows] == [
        ("raw-ydbdr", [0]),
        ("raw-rgb", [0, 1, 2]),
    ]
    actual = table.rows[1].mean_and_std(TOP1)
    assert (
        actual.mean == pytest.approx(55)
        and actual.std == pytest.approx(5)
        and len(actual.values) == 3
    )
    assert table.rows[0].mean_and_std(TOP1).std is None
    assert table.rows[1].mean_and_std(I_NCE).mean == pytest.approx(1.1)


@pytest.mark.parametrize(
    "changes",
    [
        {"data__size": 64},
        {"data___target_": "infomin.data.stl10"},
        {"pretrain__batch": 256},
        {"budget__name": "small"},
        {"encoder__width": 2},
        {"augment__size": 64},
        {"something__new": 1},
    ],
)
def test_another_protocol_is_another_table(tmp_path, changes):
    record(tmp_path, "a", pretraining(), judged())
    record(tmp_path, "b", pretraining(**changes), judged())
    assert [len(table.rows) for table in tables(tmp_path)] == [1, 1]


@pytest.mark.parametrize(
    "changes",
    [{"protocol": "another"}, {"data": "scenes"}, {"i_nce": {"value": 1.0, "cap": 5.5}}],
)
def test_another_way_of_judging_is_another_table(tmp_path, changes):
    record(tmp_path, "a", pretraining(), judged())
    record(tmp_path, "b", pretraining(seed=1), judged() | changes)
    assert len(tables(tmp_path)) == 2


def test_methods_are_rows_of_one_table(tmp_path):
    record(tmp_path, "a", pretraining(), judged(0.5))  # a run from before methods had a name
    record(tmp_path, "b", pretraining(method="byol", byol__momentum=0.9), judged(0.4))
    record(tmp_path, "c", pretraining(method="byol", byol__momentum=0.8), judged(0.3))
    assert [len(table.rows) for table in tables(tmp_path)] == [3]


@pytest.mark.parametrize(
    "changes",
    [
        {"device": "cpu"},
        {"save_every": 1},
        {"data__cache": "x"},
        {"monitor__every": 0},
        {"pretrain___target_": "infomin.another.Name"},
        {"epochs": 1},
    ],
)
def test_settings_that_change_no_number_are_ignored(tmp_path, changes):
    record(tmp_path, "a", pretraining(seed=0), judged())
    record(tmp_path, "b", pretraining(seed=1, **changes), judged())
    ((row,),) = [table.rows for table in tables(tmp_path)]
    assert row.seeds == [0, 1]


def test_settings_distinguish_rows_of_one_name(tmp_path):
    record(tmp_path, "a", pretraining(photometric__gray=0.2), judged(0.5))
    record(tmp_path, "b", pretraining(photometric__gray=0.0), judged(0.4))
    (table,) = tables(tmp_path)
    assert [row.title for row in table.rows] == [
        "raw-rgb, photometric.gray 0.2",
        "raw-rgb, photometric.gray 0",
    ]


def test_the_newest_run_of_a_seed_counts(tmp_path):
    record(tmp_path, "20260101-a", pretraining(), judged(0.4))
    record(tmp_path, "20260102-b", pretraining(), judged(0.6))
    ((row,),) = [table.rows for table in tables(tmp_path)]
    assert row.mean_and_std(TOP1).values == (60,) and [r.folder.name for r in row.older] == [
        "20260101-a"
    ]


def test_pretrainings_of_different_games_are_different_rows(tmp_path):
    for seed in (0, 1):
        for objective in ("semi", "unsup"):
            given = GAME | {"objective": objective, "seed": seed, "settings": {"seed": seed}}
            result = judged(0.5, "learned-rgb", generator=given)
            record(tmp_path, f"{objective}-{seed}", pretraining("learned", seed), result)
    (table,) = tables(tmp_path)
    assert [(row.title, row.seeds) for row in table.rows] == [
        ("learned-rgb, semi", [0, 1]),
        ("learned-rgb, unsup", [0, 1]),
    ]


def test_the_game_of_an_older_run_is_looked_up_beside_it(tmp_path):
    for seed, objective in ((0, "semi"), (1, "semi"), (0, "unsup")):
        cell = tmp_path / f"rgb-{objective}-s{seed}"
        result = GAME | {"objective": objective, "seed": seed}
        config = {"seed": seed, "color": "rgb", "game": {"mode": objective}}
        record(cell, "game", config, result, kind="learn_views")
        record(cell, "run", pretraining("learned", seed), judged(0.5, "learned-rgb"))
    other = pretraining("learned", 0, views__runs="/gone/rgb-semi-s0", photometric__gray=1)
    record(tmp_path / "rgb-semi-gray-s0", "run", other, judged(0.4, "learned-rgb"))
    table, games = tables(tmp_path)
    assert [(row.name, row.seeds) for row in table.rows] == [
        ("learned-rgb, semi", [0, 1]),
        ("learned-rgb, unsup", [0]),
        ("learned-rgb, semi", [0]),
    ]
    assert [row.name for row in games.rows] == ["semi, rgb", "unsup, rgb"] and not games.points


def test_unknown_generators_are_distinguished_by_path(tmp_path):
    for name in ("a", "b"):
        config = pretraining("learned", views__generator=f"/gone/{name}/generator")
        record(tmp_path, name, config, judged(0.5, "learned-rgb"))
    (table,) = tables(tmp_path)
    assert len(table.rows) == 2 and "generator.folder /gone/a" in table.rows[0].title


def test_a_linear_evaluation_has_the_views_and_the_seed_of_its_encoder(tmp_path):
    several(tmp_path, {"raw-rgb": [0.5, 0.6]})
    for seed in (0, 1):
        config = {"data": {"size": 64}, "seed": 0, "pretrained": "x"}
        result = judged(0.3, encoder=f"runs/pretrain/raw-rgb-s{seed}/encoder")
        del result["views"]
        record(tmp_path, f"e{seed}", config, result, kind="linear_eval")
    evaluation, _ = tables(tmp_path)
    assert evaluation.kind == "linear_eval"
    assert [(row.name, row.seeds) for row in evaluation.rows] == [("raw-rgb", [0, 1])]


def test_differing_settings_are_those_that_are_not_the_same_everywhere():
    given = [{"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}]
    assert differing(given) == {"b": [2, 5], "c": [3, None]}
    assert differing([{"a": 1}]) == {}


def test_a_paired_difference_has_students_interval():
    first, second = {0: 50.0, 1: 52.0, 2: 57.0, 9: 0.0}, {0: 49.0, 1: 48.0, 2: 54.0, 8: 99.0}
    actual = paired_difference(first, second)
    gains = [1.0, 4.0, 3.0]
    expected = stats.ttest_1samp(gains, 0).confidence_interval(0.95)
    assert (actual.low, actual.high) == pytest.approx((expected.low, expected.high))
    assert actual.mean == pytest.approx(statistics.mean(gains)) and actual.n == actual.wins == 3
    assert not actual.significant
    simultaneous = paired_difference(first, second, 5)
    expected = stats.ttest_1samp(gains, 0).confidence_interval(1 - 0.05 / 5)
    assert simultaneous.high == pytest.approx(expected.high)


def test_an_interval_needs_two_common_seeds():
    assert paired_difference({0: 1.0}, {1: 2.0}) is None
    actual = paired_difference({0: 1.0, 1: 9.0}, {0: 2.0})
    assert actual == (-1.0, None, None, 0, 1) and not actual.significant
    assert mean_and_std([2.0]).std is None


@pytest.mark.parametrize(
    ("accuracies", "headline", "evidence", "significant"),
    [
        (
            {"raw-ydbdr": [0.60, 0.62, 0.61], "raw-rgb": [0.50, 0.52, 0.515]},
            "raw-ydbdr leads raw-rgb by 9.8 points",
            "95 % interval +9.1 to +10.6, seed by seed; ahead in 3 of 3 seeds.",
            True,
        ),
        (
            {"raw-ydbdr": [0.60, 0.50], "raw-rgb": [0.50, 0.55]},
            "raw-ydbdr leads raw-rgb by 2.5 points",
            "95 % interval −92.8 to +97.8, seed by seed; ahead in 1 of 2 seeds. The ",
            False,
        ),
        (
            {"raw-ydbdr": [0.6], "raw-rgb": [0.5]},
            "raw-ydbdr leads raw-rgb by 10.0 points",
            "The rows have one seed in common, so the lead can be chance.",
            False,
        ),
        (
            {"raw-rgb": [0.5, 0.6]},
            "raw-rgb: 55.0 ± 7.1 %",
            "It is the only row of its table.",
            None,
        ),
    ],
)
def test_the_summary_gives_the_best_row_its_lead_and_the_evidence(
    tmp_path, accuracies, headline, evidence, significant
):
    (table,) = tables(several(tmp_path, accuracies))
    summary = summarize(table)
    assert summary[:2] == (headline, summary.evidence) and summary.evidence.startswith(evidence)
    assert summary.significant is significant


def test_significant_leads_are_named(tmp_path):
    accuracies = {"raw-a": [0.61, 0.60, 0.62], "raw-b": [0.60, 0.61, 0.61]}
    accuracies["raw-c"] = [0.41, 0.40, 0.42]
    (table,) = tables(several(tmp_path, accuracies))
    assert summarize(table).significant is False and summarize(table).evidence.endswith(
        "Its lead over raw-c is significant."
    )


def test_segmentation_is_ranked_by_mean_iou(tmp_path):
    for seed, name, iou in ((0, "raw-lab", 0.12), (1, "raw-lab", 0.14), (0, "raw-rgb", 0.2)):
        chance = {"mean_iou": 0.01, "pixel_accuracy": 0.2}
        given = {"views": name, "mean_iou": iou, "pixel_accuracy": 0.5, "chance": chance}
        config = pretraining(seed=seed, views__color=name.removeprefix("raw-"))
        given |= {"data": "nyuv2", "protocol": "a decoder", "seconds": 60.0}
        record(tmp_path, f"{name}-{seed}", config, given, kind="segment")
    (table,) = tables(tmp_path)
    assert table_title(table) == "Segmentation, nyuv2, 32 px, budget smoke"
    assert table.points and table.score == IOU and table.protocol["result: chance"] == 0.01
    assert [row.name for row in table.rows] == ["raw-rgb", "raw-lab"]
    assert table.rows[1].mean_and_std(IOU).mean == pytest.approx(13)
    assert table.rows[1].mean_and_std("pixel accuracy %").mean == pytest.approx(50)


def test_shared_factors_are_rows_and_errors_are_columns(tmp_path):
    for seed, shared in ((0, ["digit"]), (1, ["digit"]), (0, ["digit", "position"]), (0, None)):
        config = {"shared": shared or [], "supervised": shared is None, "seed": seed}
        config |= {"sharing": {"factors": shared or []}, "motion": {"target": 12}}
        given = {"digits": "mnist", "backgrounds": "x", "shared": shared, "digit_error": 0.4}
        given |= {"position_error": 4.25, "i_nce": None, "seconds": 60.0}
        record(tmp_path, f"{shared}-{seed}", config, given, kind="share_factors")
    (table,) = tables(tmp_path)
    assert not table.points and table_title(table) == "Colorful-Moving-MNIST, mnist over x"
    assert {row.name: len(row.records) for row in table.rows} == {
        "digit": 2,
        "digit + position": 1,
        "labels": 1,
    }
    assert table.records[0].metrics["position error, px"] == 4.25
    assert table.records[0].metrics["digit error %"] == pytest.approx(40)


def test_every_estimate_of_a_run_is_a_column(tmp_path):
    given = [{"views": [1, 2], "k": k, "value": k / 100} for k in (16, 64)]
    result = {"data": "scenes", "views": "raw-rgb", "i_nce": given, "seconds": 60.0}
    folder = record(tmp_path, "a", pretraining(), result, kind="estimate_information")
    (table,) = tables(tmp_path)
    actual = table.records[0].metrics
    assert folder == table.records[0].run.folder and actual["I_NCE(v1; v2), K = 64, nats"] == 0.64
    assert list(actual) == [*(f"I_NCE(v1; v2), K = {k}, nats" for k in (16, 64)), "minutes"]
    strange = [3, {"views": "x", "k": 2}, {"views": [1, None], "k": None}, {"views": [1, 2]}]
    run = replace(table.records[0].run, result={"i_nce": strange})
    assert metrics(run) == {}
