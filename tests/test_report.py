"""Pictures, tables and figures are made from records, and their numbers are the records'."""

from dataclasses import replace

import pytest
import torch

from infomin.core.errors import InputError
from infomin.experiments import figures, sweep, tables
from infomin.experiments.grid.cells import Cell
from infomin.experiments.grid.records import Record
from infomin.generator import ViewGenerator
from infomin.runs.pictures import color_picture, linear_part, views_picture
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")


def record(views, seed, top1, tmp_path, augmentation="crop"):
    judged = {"top1": top1, "knn": 0.5, "chance": 0.1, "protocol": "linear", "seconds": 60.0}
    judged["i_nce"] = {"value": 2.0 + seed, "cap": 5.55}
    game = None if views == "raw" else {"seconds": 120.0, "collapsed": [], "i_nce": {"value": 1.5}}
    where = {"commit": "abc", "hardware": "a machine", "versions": {"torch": "2"}}
    cell = Cell("rgb", views, seed, tmp_path, augmentation)
    return Record(cell, judged, judged, game, where, tmp_path)


def test_the_table_is_mean_and_deviation_over_seeds(tmp_path):
    records = [record("raw", 0, 0.50, tmp_path), record("raw", 1, 0.60, tmp_path)]
    records.append(record("semi", 0, 0.7, tmp_path))
    raw, semi = tables.summary(records)
    assert raw["top-1 %"] == "55.0 ± 7.1" and raw["n"] == "2" and raw["minutes"] == "1.0"
    assert semi["top-1 %"] == "70.0" and semi["minutes"] == "3.0"
    assert (raw["I_NCE in the game"], semi["I_NCE in the game"]) == ("-", "1.50")
    assert tables.markdown([raw, semi]).count("\n") == 3
    assert "abc" in tables.origin(records, "python x") and "5 minutes" in tables.origin(
        records, "x"
    )


def test_a_table_of_segmentations_has_both_of_their_scores(tmp_path):
    made = []
    for seed, (iou, pixels) in enumerate([(0.12, 0.4), (0.14, 0.5)]):
        one = record("raw", seed, 0.5, tmp_path)
        told = {"mean_iou": iou, "pixel_accuracy": pixels, "seconds": 60.0, "protocol": "decoder"}
        made.append(replace(one, judged=told))
    (row,) = tables.summary(made)
    assert (row["mean IoU %"], row["pixel accuracy %"]) == ("13.0 ± 1.4", "45.0 ± 7.1")
    assert "kNN %" not in row


def test_layers_that_were_read_have_a_column_each(tmp_path):
    made = [record("raw", seed, 0.5, tmp_path) for seed in (0, 1)]
    for i, one in enumerate(made):
        one.judged["layers"] = {"conv1": {"top1": 0.3, "knn": 0}, "pool": {"top1": 0.4 + i / 10}}
    (row,) = tables.summary(made)
    assert (row["conv1, top-1 %"], row["pool, top-1 %"]) == ("30.0 ± 0.0", "45.0 ± 7.1")


def test_accuracies_are_compared_seed_by_seed(tmp_path):
    accuracies = {"raw": (0.50, 0.60, 0.55), "semi": (0.52, 0.63, 0.56), "unsup": (0.40,)}
    records = [
        record(views, seed, top1, tmp_path)
        for views, values in accuracies.items()
        for seed, top1 in enumerate(values)
    ]
    rows = tables.summary(records, ["rgb", "raw"])
    assert [row["against raw rgb"] for row in rows] == ["-", "+2.0 ± 1.0", "-10.0"]
    assert "against raw rgb" not in tables.summary(records)[0]
    with pytest.raises(
        InputError, match=r"against: expected one of \[rgb, raw, crop\], .* got \['x', 'y'\]"
    ):
        tables.summary(records, ["x", "y"])


def test_augmentations_have_rows_of_their_own_and_games_no_columns(tmp_path):
    records = [
        record(views, 0, top1, tmp_path, augmentation)
        for views, augmentation, top1 in (("raw", "none", 0.4), ("semi", "crop", 0.7))
    ]
    rows = tables.summary(records, ["rgb", "semi"])
    told = ["input", "views", "augmentation", "top-1 %", "against semi rgb", "kNN %"]
    assert [*rows[0]] == [*told, "I_NCE held out, nats", "minutes", "n"]
    assert [row["augmentation"] for row in rows] == ["none", "crop"]
    assert [row["against semi rgb"] for row in rows] == ["-30.0", "-"]
    (row,) = tables.summary(records[:1], ["rgb", "raw", "none"])
    assert row["against raw rgb none"] == "-" and "augmentation" not in row
    figures.sweet_spot(records, "Title").savefig(tmp_path / "figure.png")


def predicted(views, seed, top1, tmp_path):
    made = record(views, seed, top1, tmp_path, "L1")
    made.pretraining["i_nce"] = None
    return made


def test_encoders_trained_by_prediction_have_a_dash_for_i_nce_and_a_strip_of_the_figure(tmp_path):
    made = [record("raw", seed, 0.5 + seed / 10, tmp_path) for seed in (0, 1)]
    lone = [predicted("raw", seed, 0.4, tmp_path) for seed in (0, 1)]
    contrast, prediction = tables.summary([*made, *lone], ["rgb", "raw"])
    assert contrast["I_NCE held out, nats"] == "2.50 ± 0.71"
    assert prediction["I_NCE held out, nats"] == "-"
    assert prediction["against raw rgb"] == "-15.0 ± 7.1"
    assert "I_NCE cap log K = 5.55." in tables.origin([*lone, *made], "x")
    assert "I_NCE" not in tables.origin(lone, "x")
    assert tables.origin([*made, *lone], "x").endswith("Protocol: linear.")
    lone[0].pretraining["protocol"] = lone[1].pretraining["protocol"] = "Q"
    told = tables.origin([*made, *lone], "x")
    assert told.endswith("Protocol: of rgb raw crop: linear; of rgb raw L1: Q.")
    assert str(lone[0]) == "linear probe, top-1 40.0%, 1.0 min"
    strip, axis = figures.sweet_spot([*lone, *made], "Title").axes
    assert [len(part.lines) for part in (strip, axis)] == [2, 3]  # runs, and the cap
    assert {line.get_xdata()[0] for line in strip.lines} == {0}
    assert len(axis.get_legend().get_texts()) == 2
    (alone,) = figures.sweet_spot(lone, "Title").axes
    assert [line.get_ydata()[0] for line in alone.lines] == [40.0, 40.0]
    told = "sweep: expected an I_NCE of every cell, raw from rgb, L1, seed 0 has none: nothing or"
    with pytest.raises(InputError, match=told):
        sweep.turning([*made, *lone])


def test_a_sweep_finds_the_peak_that_is_there(tmp_path):
    records = []
    for i, value in enumerate((0.5, 1.0, 2.0, 3.0, 4.0, 4.5)):
        for seed in (0, 1, 2):
            made = record("frequency", seed, 0.6 - 0.05 * (value - 2) ** 2, tmp_path, str(i))
            made.pretraining["i_nce"]["value"] = value + 0.01 * seed
            records.append(made)
    found = sweep.turning(records)
    assert found.verdict == "peak" and found.settings == 6 and found.runs == 18
    assert found.peak == pytest.approx(2.0, abs=0.05)
    figure = sweep.figure(records, "Title", found)
    axis = figure.axes[0]
    named = [t.get_text() for t in axis.get_legend().get_texts()]
    assert [name for name in named if len(name) == 1] == ["0", "1", "2", "3", "4", "5"]
    assert any("cap log K" in name for name in named) and any("chance" in name for name in named)
    assert "3 seeds, n = 18 runs" in axis.get_title(loc="left")
    figure.savefig(tmp_path / "sweep.png")


def test_a_section_of_a_document_is_replaced_and_the_rest_left(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
    tables.replace_section(path, "a", "new")
    assert path.read_text() == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"
    with pytest.raises(InputError, match="expected the marks <!-- b --> and <!-- /b -->"):
        tables.replace_section(path, "b", "new")


def test_figures_can_be_saved(tmp_path):
    records = [record(v, s, 0.5, tmp_path) for v in ("raw", "semi", "other") for s in (0, 1)]
    figures.sweet_spot(records, "Title").savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("names", "rows"),
    [
        (("R", "G", "B"), ["images"]),
        (("R", "G", "B", "depth"), ["images", "depth"]),
        (("NIR", "R", "G"), ["NIR", "R", "G"]),
        (None, [f"channel_{i}" for i in range(5)]),
    ],
)
@pytest.mark.parametrize("value_range", [(0.0, 1.0), (0.0, 4095.0)])
def test_pictures_of_views_and_of_colour(tmp_path, names, rows, value_range):
    channels = len(names or rows)
    images = torch.rand(4, channels, 16, 16) * value_range[1]
    raw = ChannelViews(channels, value_range=value_range)
    figure = views_picture(raw, images, "title", names)
    shown = [axis.get_ylabel() for axis in figure.axes]
    assert shown == [*rows, "view 1", *(f"view 2, channel {i}" for i in range(1, channels))]
    drawn = figure.axes[0].get_images()[0].get_array()
    assert drawn.ndim == (3 if rows[0] == "images" else 2) and drawn.min() < 0.1 < 0.9 < drawn.max()
    figure.savefig(tmp_path / "views.png")
    g = ViewGenerator(channels, value_range=value_range, channel_names=names).eval()
    charts = color_picture(g, images)
    charts.savefig(tmp_path / "color.png")
    assert len(charts.axes) == channels * (2 if names == ("R", "G", "B") else 1)
    assert (tmp_path / "views.png").stat().st_size > 5000


def test_the_linear_part_of_a_linear_generator_is_its_matrix():
    g = ViewGenerator(color="ydbdr", normalize=False)
    coefficients, r2 = linear_part(g, torch.rand(4, 3, 8, 8))
    torch.testing.assert_close(coefficients, g.start.matrix, atol=1e-4, rtol=0)
    assert min(r2) == pytest.approx(1, abs=1e-6)


def test_a_shown_command_names_no_place_of_one_machine():
    told = ["python x.py", "data.root=../somewhere/photos", "out=/a/b", "seed=1", "jobs=2"]
    assert tables.shown(told) == "python x.py data.root=PATH/photos seed=1"
    listed = 'judge=["data=image_folder","data.root=../a/b"]'
    assert tables.shown(["python x.py", listed]) == (
        """python x.py 'judge=["data=image_folder","data.root=PATH/b"]'"""
    )
    assert tables.shown(["runs=/a/b/runs", "to=/a"]) == "runs=PATH/runs"
    assert tables.shown(["runs=runs"]) == "runs=runs"
