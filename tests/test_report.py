"""Pictures, tables and figures are made from records, and show their numbers."""

from pathlib import Path

import pytest
import torch

from infomin.core.errors import InputError
from infomin.experiments import figures, tables
from infomin.experiments.grid import records
from infomin.experiments.grid.cells import PretrainingCell
from infomin.experiments.run_index import FinishedRun
from infomin.experiments.sweet_spot import find_sweet_spot
from infomin.generator import ViewGenerator
from infomin.runs.pictures import (
    color_picture,
    false_colored,
    image_rows,
    linear_part,
    parse_false_color,
    scaled,
    views_picture,
)
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")
WHERE = {"commit": "abc", "hardware": "a machine", "versions": {"torch": "2"}}
I_NCE = "I_NCE held out, nats"


def record(views, seed, top1, augmentation="crop", i_nce=True, segmented=None, **more):
    """Return the record of a cell; `segmented` is (mean IoU, pixel accuracy)."""

    def run(kind, result):
        return FinishedRun(cell.cells / kind, kind, {}, result, WHERE, seed)

    cell = PretrainingCell("rgb", views, seed, Path("cells"), augmentation)
    scores = {"top1": top1, "knn": 0.5, "chance": 0.1, "protocol": "linear", "seconds": 60.0}
    scores["i_nce"] = {"value": 2.0 + seed, "cap": 5.55} if i_nce else None
    game = {"seconds": 120.0, "collapsed": [], "i_nce": {"value": 1.5}}
    pretraining = evaluation = run("pretrain", scores | more)
    if segmented:
        shares = {"mean_iou": segmented[0], "pixel_accuracy": segmented[1], "seconds": 60.0}
        evaluation = run("segment", shares | {"protocol": "decoder"})
    played = None if views == "raw" else run("learn_views", game)
    return records.cell_record(cell, pretraining, evaluation, played)


def test_the_table_is_mean_and_deviation_over_seeds():
    some = [record("raw", 0, 0.50), record("raw", 1, 0.60), record("semi", 0, 0.7)]
    raw, semi = records.summary(some)
    assert raw["top-1 %"] == "55.0 ± 7.1" and raw["n"] == "2" and raw["minutes"] == "1.0"
    assert semi["top-1 %"] == "70.0" and semi["minutes"] == "3.0"
    assert (raw["I_NCE in the game"], semi["I_NCE in the game"]) == ("-", "1.50")
    assert tables.markdown([raw, semi]).count("\n") == 3
    assert "abc" in records.origin(some, "python x")
    assert "5 minutes" in records.origin(some, "x")


def test_inputs_that_are_not_rgb_are_called_channels():
    some = [record("raw", 0, 0.5), record("semi", 0, 0.6)]
    for each, name in zip(some, ("raw-channels", "learned-channels"), strict=True):
        each.pretraining.result["views"] = name
    raw, semi = records.summary(some, ["rgb", "raw"])
    assert (raw["input"], semi["input"]) == ("channels", "channels")
    assert raw["against raw channels"] == "-" and semi["against raw channels"] == "+10.0"


def test_segmentations_have_both_of_their_scores_and_layers_a_column_each():
    scores = [(0.12, 0.4), (0.14, 0.5)]
    some = [record("raw", i, 0.5, segmented=segmented) for i, segmented in enumerate(scores)]
    (row,) = records.summary(some)
    assert (row["mean IoU %"], row["pixel accuracy %"]) == ("13.0 ± 1.4", "45.0 ± 7.1")
    assert "kNN %" not in row and row["minutes"] == "2.0" and row[I_NCE] == "2.50 ± 0.71"
    layers = [{"conv1": {"top1": 0.3}, "pool": {"top1": 0.4 + i / 10}} for i in (0, 1)]
    (row,) = records.summary([record("raw", i, 0.5, layers=layers[i]) for i in (0, 1)])
    assert (row["conv1, top-1 %"], row["pool, top-1 %"]) == ("30.0 ± 0.0", "45.0 ± 7.1")


def test_accuracies_are_compared_seed_by_seed():
    accuracies = {"raw": (0.50, 0.60, 0.55), "semi": (0.52, 0.63, 0.56), "unsup": (0.40,)}
    some = [record(v, s, top1) for v, values in accuracies.items() for s, top1 in enumerate(values)]
    rows = records.summary(some, ["rgb", "raw"])
    assert [row["against raw rgb"] for row in rows] == ["-", "+2.0 ± 1.0", "-10.0"]
    assert "against raw rgb" not in records.summary(some)[0]
    message = r"against: expected one of \[rgb, raw, crop\], .* got \['x', 'y'\]"
    with pytest.raises(InputError, match=message):
        records.summary(some, ["x", "y"])


def test_augmentations_have_separate_rows_and_games_no_columns():
    some = [record("raw", 0, 0.4, "none"), record("semi", 0, 0.7)]
    rows = records.summary(some, ["rgb", "semi"])
    heads = ["input", "views", "augmentation", "top-1 %", "against semi rgb", "kNN %"]
    assert [*rows[0]] == [*heads, I_NCE, "minutes", "n"]
    assert [row["augmentation"] for row in rows] == ["none", "crop"]
    assert [row["against semi rgb"] for row in rows] == ["-30.0", "-"]
    (row,) = records.summary(some[:1], ["rgb", "raw", "none"])
    assert row["against raw rgb none"] == "-" and "augmentation" not in row


def test_encoders_without_i_nce_have_a_dash_and_a_strip_of_the_figure():
    with_i_nce = [record("raw", seed, 0.5 + seed / 10) for seed in (0, 1)]
    without = [record("raw", seed, 0.4, "L1", i_nce=False) for seed in (0, 1)]
    contrast, prediction = records.summary([*with_i_nce, *without], ["rgb", "raw"])
    assert (contrast[I_NCE], prediction[I_NCE]) == ("2.50 ± 0.71", "-")
    assert prediction["against raw rgb"] == "-15.0 ± 7.1"
    assert "I_NCE cap log K = 5.55." in records.origin([*without, *with_i_nce], "x")
    assert "I_NCE" not in records.origin(without, "x")
    assert records.origin([*with_i_nce, *without], "x").endswith("Protocol: linear.")
    other = [record("raw", 0, 0.4, "L1", i_nce=False, protocol="Q")]
    origin = records.origin([*with_i_nce, *other], "x")
    assert origin.endswith("Protocol: of rgb raw crop: linear; of rgb raw L1: Q.")
    assert str(without[0]) == "linear probe, top-1 40.0%, 1.0 min"
    table = records.result_table([*without, *with_i_nce])
    strip, axis = figures.accuracy_figure(table, "Title").axes
    assert "no I_NCE" in strip.get_xlabel() and "cap log K = 5.55" in axis.get_xlabel()
    assert "chance 10" in strip.get_ylabel() and strip.get_title(loc="left") == "Title"
    (alone,) = figures.accuracy_figure(records.result_table(without)).axes
    assert alone.lines[0].get_ydata().tolist() == [40.0, 40.0]
    message = "sweep: expected an I_NCE of every cell, raw from rgb, L1, seed 0 has none: its enc"
    with pytest.raises(InputError, match=message):
        records.runs_by_setting([*with_i_nce, *without])


def test_a_sweep_marks_the_peak_that_is_there():
    some = []
    for i, value in enumerate((0.5, 1.0, 2.0, 3.0, 4.0, 4.5)):
        for seed in (0, 1, 2):
            top1 = 0.6 - 0.05 * (value - 2) ** 2
            some.append(record("frequency", seed, top1, str(i)))
            some[-1].metrics["I_NCE, nats"] = value + 0.01 * seed
    spot = find_sweet_spot(records.runs_by_setting(some))
    assert spot.verdict == "peak" and spot.settings == 6 and spot.runs == 18
    assert spot.peak == pytest.approx(2.0, abs=0.05)
    figure = figures.accuracy_figure(records.result_table(some), "Title", spot=spot)
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[:2] == ["1 0, n = 3", "2 1, n = 3"]
    assert names[6:] == ["best parabola", "peak, 95 % interval"]


def test_a_section_of_a_document_is_replaced_and_the_rest_kept(tmp_path):
    path = tmp_path / "results.md"
    path.write_text("before\n<!-- a -->\nold\n<!-- /a -->\nafter\n")
    tables.replace_section(path, "a", "new")
    assert path.read_text() == "before\n<!-- a -->\nnew\n<!-- /a -->\nafter\n"
    with pytest.raises(InputError, match="expected the markers <!-- b --> and <!-- /b -->"):
        tables.replace_section(path, "b", "new")


@pytest.mark.parametrize(
    ("names", "rows", "high"),
    [
        (("R", "G", "B"), ["images"], 1.0),
        (("R", "G", "B", "depth"), ["images", "depth"], 1.0),
        (("NIR", "R", "G"), ["false colour:\nNIR, R, G"], 4095.0),
        (tuple("abcde"), ["false colour:\n3 components"], 4095.0),
    ],
)
def test_pictures_of_views_and_of_colour(names, rows, high):
    channels = len(names)
    images = torch.rand(4, channels, 16, 16) * high
    raw = ChannelViews(channels, value_range=(0.0, high))
    figure = views_picture(raw, images, "title", names)
    shown = [axis.get_ylabel() for axis in figure.axes]
    assert shown == [*rows, "view 1", *(f"view 2, channel {i}" for i in range(1, channels))]
    drawn = figure.axes[0].get_images()[0].get_array()
    assert drawn.ndim == 3 and drawn.min() < 0.1 < 0.9 < drawn.max()
    g = ViewGenerator(channels, value_range=(0.0, high), channel_names=names).eval()
    axes = color_picture(g, images).axes
    assert len(axes) == channels * (2 if names == ("R", "G", "B") else 1)


def test_false_colour_shows_the_chosen_channels_or_the_first_components():
    images = torch.rand(4, 6, 16, 16) * 10
    chosen = image_rows(images, tuple("abcdef"), (0.0, 10.0), (5, 1, 2))
    assert chosen[0][0] == "false colour:\nf, b, c" and len(chosen) == 1
    for row, i in enumerate((5, 1, 2)):
        torch.testing.assert_close(chosen[0][1][:, row : row + 1], scaled(images[:, i : i + 1]))
    base, detail = torch.rand(2, 4, 1, 16, 16)
    mixed, flat = base + 0.1 * detail, torch.ones_like(base)
    bands = torch.cat([base, 100 * base, base, mixed, detail, flat], 1)
    red, green, _ = false_colored(bands).split(1, dim=1)
    assert torch.corrcoef(torch.stack([red.flatten(), base.flatten()]))[0, 1] > 0.9
    assert torch.corrcoef(torch.stack([green.flatten(), detail.flatten()]))[0, 1].abs() > 0.9
    assert false_colored(bands).isfinite().all()
    two = image_rows(images[:, :2], ("L", "R"), (0.0, 10.0))
    assert [name for name, _ in two] == ["L", "R"]


def test_channels_of_false_colour_are_names_or_indices():
    names = ("blue", "green", "red", "NIR")
    assert parse_false_color(None, names) is None
    assert parse_false_color(["NIR", "red", 1], names) == (3, 2, 1)
    for wrong in ([0, 1], [0, 1, 4], ["red", "green", "grey"], 3, "red", [0, 1, True], [-1, 0, 1]):
        with pytest.raises(
            InputError, match="false_color: expected three of the channels blue, gre"
        ):
            parse_false_color(wrong, names)


def test_the_linear_part_of_a_linear_generator_is_its_matrix():
    g = ViewGenerator(color="ydbdr", normalize=False)
    coefficients, r2 = linear_part(g, torch.rand(4, 3, 8, 8))
    torch.testing.assert_close(coefficients, g.start.matrix, atol=1e-4, rtol=0)
    assert min(r2) == pytest.approx(1, abs=1e-6)


def test_weights_are_for_values_in_units_of_the_range():
    images = torch.rand(4, 3, 8, 8)
    unit = ViewGenerator(color="ydbdr", normalize=False)
    counts = ViewGenerator(color="ydbdr", normalize=False, value_range=(0.0, 4000.0))
    weights, _ = linear_part(counts, images * 4000)
    torch.testing.assert_close(weights, linear_part(unit, images)[0], atol=1e-4, rtol=0)
    title = color_picture(counts, images * 4000).axes[0].get_title(loc="left")
    assert title.startswith("view 1: output 1 ≈ these weights of values / 4000, R²")


def test_a_shareable_command_has_no_path_of_this_machine():
    words = ["python x.py", "data.root=../somewhere/photos", "out=/a/b", "seed=1", "jobs=2"]
    assert tables.shareable_command(words) == "python x.py data.root=PATH/photos seed=1"
    listed = 'judge=["data=image_folder","data.root=../a/b"]'
    assert tables.shareable_command(["python x.py", listed]) == (
        """python x.py 'judge=["data=image_folder","data.root=PATH/b"]'"""
    )
    assert tables.shareable_command(["runs=/a/b/runs", "to=/a"]) == "runs=PATH/runs"
    assert tables.shareable_command(["runs=runs"]) == "runs=runs"
