"""Every primary configuration composes with every option of its groups, and its nodes build."""

import re
from pathlib import Path

import pytest
from composing import composed
from hydra import initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

from infomin.cli import report
from infomin.core.errors import InputError
from infomin.experiments.grid import cells
from infomin.flows import build_flow
from infomin.models import BACKBONES

CONF = Path(__file__).parent.parent / "conf"
PRIMARY = sorted(path.stem for path in CONF.glob("*.yaml"))


def commands(cfg, cell, common=()):
    """The commands of a cell of a grid, with the options of its experiment."""
    names = ("learn", "pretrain", "variants", "augmentations", "judge", "by", "judges")
    return cells.commands(cell, common, **{name: cfg[name] for name in names})


def groups(primary):
    defaults = OmegaConf.load(CONF / f"{primary}.yaml").get("defaults", [])
    return [next(iter(d)) for d in defaults if not isinstance(d, str)]


def choices():
    for primary in PRIMARY:
        yield primary, None
        for group in groups(primary):
            if group != "experiment":
                yield from (
                    (primary, f"{group}={p.stem}")
                    for p in sorted((CONF / group).glob("*.yaml"))
                    if primary != "learn_views" or group != "augment" or p.stem in ("crop", "none")
                )  # the crops of the game have a size of their own, and keep their colours
    for path in sorted((CONF / "experiment").glob("*.yaml")):
        command = re.search(r"command:.*infomin ([\w-]+) experiment", path.read_text())
        yield command[1].replace("-", "_") if command else "report", f"experiment={path.stem}"


@pytest.mark.slow
@pytest.mark.parametrize(("primary", "choice"), list(choices()))
def test_it_composes_and_builds(primary, choice):
    words = [choice] if choice else []
    if choice and ("=image_folder" in choice or "infomin_imagenet" in choice):
        words.append("data.root=.")
    cfg = composed(primary, *words)
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=primary != "report")
    for node in ("augment", "photometric", "randaugment", "game", "optimizer", primary):
        if "_target_" in (cfg.get(node) or {}):
            instantiate(cfg[node], _convert_="all")
    if "flow" in cfg:
        build_flow(3, **OmegaConf.to_container(cfg.flow))
    for net in ("encoder", "estimator"):
        if isinstance(cfg.get(net), dict | type(cfg)):
            assert cfg[net].name in BACKBONES


def test_every_experiment_says_command_cost_and_expectation():
    for path in (CONF / "experiment").glob("*.yaml"):
        text = path.read_text()
        assert all(word in text for word in ("command:", "cost:", "expected:")), path


def test_the_paper_budget_names_a_source_for_every_number():
    for line in (CONF / "budget" / "paper.yaml").read_text().splitlines():
        if any(c.isdigit() for c in line.split("#")[0]):
            assert "#" in line, line


def test_patches_take_whole_images_of_the_towers_size_unless_told():
    cfg = composed("pretrain", "views=patches", "views.distance=24", "encoder.size=16")
    assert cfg.augment._target_.endswith("Whole") and cfg.views.patch == 16
    assert composed("pretrain", "views=patches", "augment=crop").augment.flip == 0.5
    assert composed("pretrain", "views=frequency").augment.flip == 0.5


def test_an_experiment_overrides_the_primary_configuration():
    assert composed("learn_views", "experiment=stl10_views").game.schedule == "steps"
    assert len(composed("report", "experiment=table5", "compare=[raw,unsup,sup,semi]").compare) == 4


def test_a_grid_says_the_commands_a_person_would_type(tmp_path):
    made = cells.cells(tmp_path, [("rgb", "raw"), ("rgb", "semi")], [3])
    raw, semi = (cells.commands(c, ["budget=smoke"], ["mode=x"], []) for c in made)
    given = ["budget=smoke", "seed=3", f"out={made[0].folder}"]
    assert raw == [["scripts/pretrain.py", "views=raw", "views.color=rgb", *given]]
    assert [line[0] for line in semi] == ["scripts/learn_views.py", "scripts/pretrain.py"]
    assert "mode=semi" in semi[0] and "views=learned" in semi[1]


@pytest.mark.parametrize("name", ["sigma 1", "bank, one draw", "crop (c = 0.2)", "the user's"])
def test_names_of_rows_and_folders_reach_hydra_as_they_are(name, tmp_path):
    (cell,) = cells.cells(tmp_path / "a, b [1]", [("rgb", "raw", name)], [0])
    ((_, *given),) = cells.commands(cell, [], [], [], {}, {name: []})
    assert composed("pretrain", *given).out == str(cell.folder)


@pytest.mark.slow
def test_a_variant_is_a_game_with_overrides_of_its_own(tmp_path):
    cfg = OmegaConf.to_container(composed("report", "experiment=steadiness"))
    for cell in cells.cells(tmp_path, [("rgb", views) for views in cfg["compare"]], [0]):
        (script, *words), _ = commands(cfg, cell)
        assert script == "scripts/learn_views.py" and words[0] == "mode=unsup"
        composed("learn_views", *words)  # every override is known there


@pytest.mark.slow
def test_a_variant_of_a_pretraining_takes_the_game_of_the_usual_one(tmp_path):
    cfg = OmegaConf.to_container(composed("report", "experiment=combine"))
    grid = cells.cells(tmp_path, cfg["rows"], cfg["seeds"])
    games = 0
    for cell in grid:
        *game, (script, *words) = commands(cfg, cell)
        games += len(game)
        assert script == "scripts/pretrain.py"
        views = composed("pretrain", *words).views  # every override is known there
        if cell.learned and not game:
            assert views.runs == str(tmp_path / f"rgb-semi-s{cell.seed}")
    assert games == len(cfg["seeds"]) and len(grid) == len({cell.folder for cell in grid})


def test_wrong_rows_of_a_grid_are_told(tmp_path):
    needs = r"rows: \['rgb', 'semi', 'none'\] takes the generator of \['rgb', 'semi', 'crop'\]; add"
    with pytest.raises(InputError, match=needs):
        cells.cells(tmp_path, [("rgb", "raw", "none"), ("rgb", "semi", "none")], [0])
    (cell,) = cells.cells(tmp_path, [("rgb", "raw", "blur")], [0])
    unknown = "rows: augmentation: expected one of crop, none, got 'blur'"
    with pytest.raises(InputError, match=unknown):
        cells.commands(cell, [], [], [], {}, {"none": ["augment=none"]})


SWEEPS = sorted(
    p.stem for p in (CONF / "experiment").glob("*.yaml") if "sweep: true" in p.read_text()
)
TABLES = ("systems", "together", "draws")


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SWEEPS, *TABLES])
def test_a_grid_composes_with_every_one_of_its_settings(tmp_path, name):
    cfg = OmegaConf.to_container(composed("report", f"experiment={name}"))
    grid = cells.cells(tmp_path, cfg["rows"], [0])
    assert len(grid) >= (4 if name == "draws" else 6)
    settings = []
    for cell in grid:
        *game, trained = commands(cfg | {"judge": []}, cell)
        of_cell = OmegaConf.to_container(composed("pretrain", *trained[1:-2]))
        instantiate(of_cell["photometric"], _convert_="all")
        settings.append((of_cell, cell.dependency.views))
        assert all(composed("learn_views", *line[1:]) for line in game)
        assert cell.folder.parent == tmp_path
    assert all(a != b for i, a in enumerate(settings) for b in settings[:i]), (
        "two cells are the same"
    )


def test_grids_share_the_cells_that_mean_the_same_in_them():
    names = ("table5", "combine", "ladder", "ladder_infomin", "together")
    folders = [
        report.cells_name(composed("report", f"experiment={n}"), "stl10", "small") for n in names
    ]
    assert folders[:3] == ["stl10-small"] * 3
    assert folders[3:] == ["stl10-small-ladder_infomin", "stl10-small-together"]


@pytest.mark.slow
def test_brightness_has_more_partners_from_row_to_row(tmp_path):
    cfg = composed("report", "experiment=sensors", "data=nyuv2", "data.root=PLACE")
    cfg = OmegaConf.to_container(cfg, resolve=True)
    partners = []
    for cell in cells.cells(tmp_path, cfg["rows"], [0]):
        (script, *pretrain), (judge, *segment) = commands(cfg, cell)
        assert (script, judge) == ("scripts/pretrain.py", "scripts/segment.py")
        trained, judged = composed("pretrain", *pretrain), composed("segment", *segment)
        assert judged.only_views == [0] and judged.data.root == "PLACE"
        assert judged.segment.frozen != cell.augmentation.startswith("supervised")
        assert trained.views.names[0] == "L"
        partners.append(len(trained.views.names) - 1 if trained.pretrain.epochs else 0)
    assert partners == [0, 1, 2, 3, 3, 0, 0]


def test_a_cell_means_what_its_own_script_reads_of_a_budget():
    others = ["budget.moving.steps=7", "budget.segment.epochs=7"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        here, there, other = (
            report.settings(["scripts/pretrain.py", *words])
            for words in (["budget=small"], others, ["budget.pretrain.epochs=7"])
        )
    assert here == there != other
    assert here["pretrain"]["epochs"] == 20


@pytest.mark.slow
def test_layers_are_read_of_the_encoders_of_contrast_and_prediction_on_their_data(tmp_path):
    data, trained = ["data=image_folder", "data.root=PLACE"], {}
    for name in ("layers", "predictive"):
        cfg = composed("report", f"experiment={name}", *data)
        cfg = OmegaConf.to_container(cfg, resolve=True)
        for cell in cells.cells(tmp_path, cfg["rows"], cfg["seeds"]):
            pretrain, *judge = commands(cfg, cell, data)
            trained.setdefault(name, []).append(pretrain)
            if judge:
                script, *words = judge[0]
                assert script == "scripts/linear_eval.py"
                read = composed("evaluate", *words)
                assert read.layers and (read.data.root, read.seed) == ("PLACE", cell.seed)
    assert all(line in trained["predictive"] for line in trained["layers"]), "nothing is trained"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["predictive", "predictive_sensors"])
def test_contrast_and_prediction_differ_in_nothing_but_the_loss(tmp_path, name):
    data = {"predictive": "image_folder", "predictive_sensors": "nyuv2"}[name]
    cfg = composed("report", f"experiment={name}", f"data={data}", "data.root=PLACE")
    cfg = OmegaConf.to_container(cfg, resolve=True)
    meant = {}
    for cell in cells.cells(tmp_path, cfg["rows"], [0]):
        (_, *pretrain), *judge = commands(cfg, cell)
        assert [line[0] for line in judge] == ["scripts/segment.py"] * (name != "predictive")
        trained = OmegaConf.to_container(composed("pretrain", *pretrain), resolve=True)
        assert trained.pop("out") == str(cell.folder)
        what, _, how = cell.augmentation.rpartition(" by ")
        loss, method = trained.pop("loss")["name"], trained.pop("method")
        assert method == ("cmc" if loss == "infonce" else "predictive")
        assert loss == {"L1": "l1", "L2": "l2"}.get(how, "infonce")
        if trained["pretrain"]["epochs"]:
            assert trained["views"]["crops"] == "shared"
            meant.setdefault((cell.color, what), []).append(trained)
    assert len(cfg["seeds"]) >= 3 and [len(group) for group in meant.values()] == [3, 3]
    assert all(one == group[0] for group in meant.values() for one in group)
