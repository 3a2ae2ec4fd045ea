"""Table 4: its cells, what they recorded, and the table and the figure of it."""

import pytest

from infomin.core.files import write_json
from infomin.experiments import sharing
from infomin.experiments.grid.sharing import FACTORS, cells, read

pytestmark = pytest.mark.usefixtures("single")
WHERE = {"commit": "abc", "hardware": "a machine", "versions": {"torch": "2"}}


def finished(tmp_path, sharings, seeds):
    """Records of cells, as scripts/share_factors.py leaves them."""
    made = cells(tmp_path, sharings, seeds)
    for cell in made:
        run = cell.folder / "share_factors" / "run"
        run.mkdir(parents=True)
        result = {"digits": "mnist", "backgrounds": "photos", "cap": 4.85, "n": 4000}
        result |= {"digit_error": 0.2 + 0.1 * cell.seed, "digit_chance": 0.9, "seconds": 60.0}
        result |= {"background_error": 0.5, "background_chance": 0.8}
        result |= {"position_error": 4.0 + cell.seed, "position_chance": 13.8}
        result |= {"i_nce": {"value": 2.0} if cell.shared else None}
        write_json(run / "result.json", result)
        write_json(run / "provenance.json", WHERE)
        (run / "config.yaml").write_text("seed: 0")
    return [read(cell) for cell in made]


def test_the_table_has_a_row_for_each_sharing_and_one_for_chance(tmp_path):
    records = finished(tmp_path, [["digit", "position"], []], [0, 1])
    both, labels, chance = sharing.summary(records)
    assert both["views share"] == "digit, position" and both["n"] == "2"
    assert both["digit error, %"] == "25.0 ± 7.1" and both["position error, px"] == "4.50 ± 0.71"
    assert (both["I_NCE held out, nats"], labels["I_NCE held out, nats"]) == ("2.00 ± 0.00", "-")
    assert labels["views share"] == "supervised" and labels["background error, %"] == "50.0 ± 0.0"
    assert [chance[f"{factor} error, {unit}"] for factor, unit in FACTORS.items()] == [
        "90.0",
        "80.0",
        "13.80",
    ]
    assert str(records[0]) == "digit 20.0 %, background 50.0 %, position 4.0 px, 1.0 min"


def test_its_origin_tells_what_it_is_made_of(tmp_path):
    told = sharing.origin(finished(tmp_path, [["digit"]], [0, 1]), "python x")
    for part in ("`python x`, commit abc", "2 minutes", "4,000 test images", "mnist over photos"):
        assert part in told


def test_the_figure_has_a_bar_for_every_error(tmp_path):
    drawn = sharing.figure(finished(tmp_path, [["digit"], ["background"], []], [0]), "Title")
    assert [len(axis.patches) for axis in drawn.axes] == [3, 3, 3]
    widths = [bar.get_width() for bar in drawn.axes[0].patches]
    assert widths == [20.0] * 3
    assert "n = 3 runs" in drawn.get_suptitle()
