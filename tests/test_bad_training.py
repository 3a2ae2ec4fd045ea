"""What stops a training, or its saving, says why; what was good before it stays."""

import math

import pytest
import torch
from refusal import Burglar, refused
from running import Process
from trainers import make_trainer

from infomin import ViewGenerator
from infomin.augment import CropFlip
from infomin.core import artifact, files
from infomin.core.errors import InputError
from infomin.data import ImageSet
from infomin.models import build_encoders
from infomin.runs import checkpoint
from infomin.runs.folder import Run
from infomin.training.distributed import make_fabric
from infomin.training.game_settings import GameSettings
from infomin.training.view_game import Game
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")


NET = {"name": "fourconv", "size": 8, "widths": [4], "pools": 1}


def pretraining(batch=8):
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)
    return make_trainer(ChannelViews(), images, settings={"batch": batch}, net={**NET, "dim": 4})


def game(mode="semi", **options):
    images = torch.randint(0, 256, (24, 3, 8, 8), dtype=torch.uint8)
    train = ImageSet.of(images, torch.arange(24) % 2)
    g = ViewGenerator()
    f, c = (
        build_encoders(view_channels=g.view_channels, dim=dim, normalize=n, **NET)
        for dim, n in ((4, True), (2, False))
    )
    settings = GameSettings(mode, **{"steps": 6, "batch": 8, "labelled_batch": 4, **options})
    return Game(
        g, "per_view", f, c, train, torch.arange(24), CropFlip(8), settings, make_fabric("cpu")
    )


def test_a_batch_larger_than_the_data():
    with refused(r"pretrain.batch: expected 1..24, .*, got 25"):
        pretraining(batch=25)
    with refused(r"game.batch: expected 1..24, .*, got 25"):
        game(batch=25)
    with refused(r"game.labelled_batch: expected 1..24, .*, got 25"):
        game(labelled_batch=25)


@pytest.mark.parametrize(
    ("make", "poison", "name", "value"),
    [
        (pretraining, lambda learner: learner.method, "loss", math.nan),
        (game, lambda learner: learner.f, "L_NCE", math.inf),
        (game, lambda learner: learner.c, "CE of view 1", math.nan),
    ],
)
def test_a_loss_that_is_not_finite_stops_with_step_and_checkpoint(
    tmp_path, make, poison, name, value
):
    learner, run = make(), Run(tmp_path / "run", "config", show=False)
    steps = run.follow(learner, "test")
    next(steps)
    run.save(learner)
    next(steps)
    with torch.no_grad():
        next(poison(learner).parameters()).fill_(value)
    before = [p.clone() for p in learner.modules["g" if make is game else "method"].parameters()]
    with refused(
        rf"{name} is (nan|inf) at step 2; the state is saved in {tmp_path}/run/diverged.pt, "
        rf"the last good checkpoint is {tmp_path}/run/checkpoint.pt; try a smaller learning rate"
    ):
        list(steps)
    again = make()
    checkpoint.restore(tmp_path / "run" / "checkpoint.pt", again)
    assert again.step == 1, "a state that diverged does not replace a good one"
    checkpoint.restore(tmp_path / "run" / "diverged.pt", again)
    assert again.step == 2
    after = again.modules["g" if make is game else "method"].parameters()
    assert all(map(torch.equal, map(torch.nan_to_num, before), map(torch.nan_to_num, after)))


@pytest.mark.parametrize("damage", ["empty", "truncated", "text", "other learner"])
def test_a_checkpoint_that_is_none(tmp_path, damage):
    path = tmp_path / "checkpoint.pt"
    checkpoint.save(path, game() if damage == "other learner" else pretraining())
    whole = path.read_bytes()
    if damage != "other learner":
        cut = {"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"no checkpoint"}
        path.write_bytes(cut[damage])
    with refused(f"{path}: is not a checkpoint of this run"):
        checkpoint.restore(path, pretraining())


# Disks


def test_a_pickle_in_place_of_a_checkpoint_is_never_executed(tmp_path):
    torch.save(Burglar(tmp_path / "broken in"), tmp_path / "checkpoint.pt")
    with refused("checkpoint.pt: is not a checkpoint of this run"):
        checkpoint.restore(tmp_path / "checkpoint.pt", pretraining())
    assert not (tmp_path / "broken in").exists()


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_file_in_the_way_of_an_output_folder(tmp_path, depth):
    (tmp_path / "file").touch()
    path = tmp_path.joinpath("file", *["deeper"] * depth)
    with refused(f"{path}: this folder cannot be written .*; choose another"):
        files.make_folder(path)
    with refused("this folder cannot be written .*; choose another"):
        ViewGenerator().save(path / "generator")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.slow
def test_a_full_disk_leaves_the_old_file_and_nothing_half_written(tmp_path):
    process = Process(tmp_path / "logs", fill_the_disk, tmp_path / "disk", file_limit=100_000)
    assert process.wait() == 0, process.err
    assert process.out == "refused 5 times\n"


def fill_the_disk(disk):
    """Run where no file can grow beyond a limit, so that writing really fails."""
    disk.mkdir()
    (disk / "old").write_bytes(b"old")
    big = torch.zeros(100_000)
    learner = pretraining()
    learner.modules["big"] = torch.nn.Linear(100, 1000)
    attempts = [
        lambda: files.write_bytes(disk / "old", bytes(200_000)),
        lambda: files.write_json(disk / "new", "x" * 200_000),
        lambda: artifact.save(disk / "artifact", "generator", {}, {"big": big}, {}),
        lambda: checkpoint.save(disk / "old", learner),
        lambda: files.append(disk / "log", "x" * 200_000),
    ]
    for i, attempt in enumerate(attempts):
        try:
            attempt()
        except InputError as error:
            assert "could not be written (File too large)" in str(error)
            assert "free some space" in str(error)
        else:
            raise AssertionError(f"attempt {i} was not refused")
    (disk / "log").unlink()
    assert [path.name for path in disk.iterdir()] == ["old"]
    assert (disk / "old").read_bytes() == b"old"
    print(f"refused {len(attempts)} times")


def test_metrics_and_pictures_that_find_no_space(tmp_path):
    from matplotlib.figure import Figure

    run = Run(tmp_path / "run", "config", show=False)
    (run.folder / "metrics.jsonl").symlink_to("/dev/full")
    with refused("metrics.jsonl: could not be written .No space left on device.; free some space"):
        run.log(1, {"loss": 1.0})
    (run.folder / "pictures").touch()
    with refused("pictures: this folder cannot be written"):
        run.save_picture("views", Figure())
