"""Table 4 of Colorful-Moving-MNIST: its cells, the records of their runs, table and figure."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from infomin.core.files import write_json
from studies.moving_mnist.table4 import FactorRun, error_bars, make_cells, origin, summarize

CONF = Path(__file__).parent.parent / "conf"


def finished(folder, sharings, seeds):
    """Runs of cells, with the records that scripts/share_factors.py writes."""
    cells = make_cells(folder, sharings, seeds)
    for cell in cells:
        run = cell.folder / "share_factors" / "run"
        run.mkdir(parents=True)
        result = {"digits": "mnist", "backgrounds": "photos", "cap": 4.85, "n": 4000}
        result |= {"digit_error": 0.2 + 0.1 * cell.seed, "digit_chance": 0.9, "seconds": 60.0}
        result |= {"background_error": 0.5, "background_chance": 0.8}
        result |= {"position_error": 4.0 + cell.seed, "position_chance": 13.8}
        result |= {"i_nce": {"value": 2.0} if cell.shared else None}
        write_json(run / "result.json", result)
        (run / "config.yaml").write_text("seed: 0\n")
        where = {"commit": "abc", "hardware": "a machine", "versions": {"torch": "2"}}
        write_json(run / "provenance.json", where)
    return [FactorRun.read(cell) for cell in cells]


def test_the_table_has_a_row_per_sharing_and_one_of_chance(tmp_path):
    runs = finished(tmp_path, [["digit", "position"], []], [0, 1])
    both, labels, chance = (list(row.values()) for row in summarize(runs))
    errors = ["25.0 ± 7.1", "50.0 ± 0.0", "4.50 ± 0.71"]
    assert both == ["digit, position", *errors, "2.00 ± 0.00", "1.0", "2"]
    assert labels == ["supervised", *errors, "-", "1.0", "2"]
    assert chance == ["chance", "90.0", "80.0", "13.80", "-", "-", "-"]
    assert str(runs[0]) == "digit 20.0 %, background 50.0 %, position 4.0 px, 1.0 min"
    text = origin(runs, "python x")
    for part in ("`python x`, commit abc", "4 minutes", "4,000 test images", "mnist over photos"):
        assert part in text


def test_the_figure_has_a_bar_for_every_error(tmp_path):
    figure = error_bars(finished(tmp_path, [["digit"], ["background"], []], [0]), "Title")
    assert [len(axis.patches) for axis in figure.axes] == [3, 3, 3]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [20.0] * 3
    assert "n = 3 runs" in figure.get_suptitle()


@pytest.mark.slow
@pytest.mark.usefixtures("single")
def test_cells_are_the_seven_sharings_of_the_paper_and_labels(tmp_path):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("table4")
        cells = make_cells(tmp_path, cfg.sharings, cfg.seeds)
        assert len({cell.folder for cell in cells}) == len(cells) == 8 * len(cfg.seeds) == 16
        for cell in cells:
            script, *overrides = cell.command(["budget=smoke"])
            one = compose("share_factors", overrides)  # which knows every override
            assert script == "scripts/share_factors.py" and one.seed == cell.seed
            assert one.supervised == (not cell.shared)
            assert not cell.shared or tuple(one.shared) == cell.shared
