"""The Python API: the README's example, the numbers of the commands, errors in one line."""

import re
from pathlib import Path

import pytest
import torch
from refusal import refused
from torch.utils.data import TensorDataset

import infomin
from infomin.core.files import read_json

README = Path(__file__).parent.parent / "README.md"
TINY = {"device": "cpu", "precision": "32-true", "monitor.every": 0}


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    pixels = torch.randint(0, 120, (60, 3, 16, 16), generator=generator)
    pixels[torch.arange(60), labels] += 100  # the brightest channel tells the class
    return TensorDataset(pixels.byte(), labels)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_the_example_of_the_readme_runs_as_written(images, here, capsys):
    (code,) = re.findall(r"```python\n(import infomin\n.*?)```", README.read_text("utf-8"), re.S)
    names = {"dataset": images, "test": images, "images": torch.rand(4, 3, 32, 32)}
    names |= dict.fromkeys(("f1", "f2"), lambda v: v.flatten(1)[:, :16])
    shorter = code.replace("epochs=20", "epochs=1").replace("labels=0.1", "labels=0.1, steps=9")
    exec(shorter, names)
    assert "linear probe" in capsys.readouterr().out
    encoder, features = names["encoder"], names["features"]
    assert isinstance(encoder, torch.nn.Module) and features.shape == (4, 1024)
    assert [v.shape[1] for v in (names["v1"], names["v2"])] == [1, 2] and names["loss"].ndim == 0
    runs = here / "runs"
    again = infomin.load_encoder(next(runs.glob("pretrain/*/encoder")))
    assert torch.equal(again(names["images"]), features)
    g = infomin.load_generator(next(runs.glob("learn_views/*/generator")))
    assert torch.equal(g(names["images"])[0], names["v1"])


@pytest.mark.slow
def test_a_verb_has_the_numbers_of_its_command(images, here):
    from infomin.cli.verbs import compose

    data = infomin.from_torch(images)
    options = {"epochs": 1, "batch": 16, "encoder": "fourconv", "seed": 3, **TINY}
    infomin.pretrain(data, views="raw", **options)
    infomin.pretrain(data, views="raw", **options, **{"pretrain.temperature": 0.1})
    one, two = (read_json(path) for path in sorted(here.glob("runs/pretrain/*/result.json")))
    assert one["top1"] == two["top1"] and one["i_nce"] == two["i_nce"]
    cfg = compose("pretrain", data, {"views": "raw", "epochs": 7})
    assert cfg.pretrain.epochs == 7 and cfg.pretrain.batch == 256, "defaults of the command"
    assert compose("learn_views", data, {"mode": "unsup"}).game.lr_g == 5e-4


def test_batches_larger_than_the_data_adapt_and_say_so(images, here, capsys):
    infomin.learn_views(infomin.from_torch(images), mode="semi", labels=0.5, steps=2, device="cpu")
    out = capsys.readouterr().out
    assert "game.batch: there are 48 images, so batches have 48, not 128" in out
    assert "game.labelled_batch: there are 24 images, so batches have 24, not 64" in out


def test_crops_larger_than_the_images_adapt_and_say_so(capsys):
    from infomin.cli.verbs import compose

    data = infomin.from_torch((torch.zeros(6, 3, 8, 8, dtype=torch.uint8), [0, 1, 2] * 2))
    assert compose("pretrain", data, {}).encoder.size == 8
    assert "budget.size: images have 8 pixels, so crops have 8, not 32" in capsys.readouterr().out
    assert compose("learn_views", data, {}).augment.size == 8
    assert compose("pretrain", data, {"encoder.size": 32}).encoder.size == 32


@pytest.mark.slow
def test_views_can_be_a_generator_a_folder_views_or_a_word(images, here):
    from infomin.views import FrequencyViews

    data, g = infomin.from_torch(images), infomin.load_generator("imagenette96-semi-rgb")
    options = {"epochs": 0, "encoder": "fourconv", **TINY}
    for views in (g, "imagenette96-semi-rgb", FrequencyViews(), "whole"):
        encoder = infomin.pretrain(data, views=views, **options)
        assert encoder(torch.rand(2, 3, 40, 40)).shape[0] == 2
    result = infomin.evaluate(encoder, data)
    assert 0 <= result.knn <= 1 and str(result).startswith("linear probe ")
    assert infomin.evaluate(encoder, images, images).chance == pytest.approx(1 / 3)


def test_wrong_options_are_refused_in_one_line(images, here):
    from infomin.cli.verbs import train_and_test

    data = infomin.from_torch(images)
    for option in ("epoch", "optimizer.speed"):
        with refused(f"{option}: pretrain has no such option; `infomin pretrain --help` lists all"):
            infomin.pretrain(data, **{option: 3})
    g = infomin.load_generator("imagenette96-semi-rgb")
    with refused("views: expected a generator, views, or one of frequency, .*, got 'nothing'"):
        infomin.pretrain(data, views="nothing")
    with refused("views.crops: expected a folder or a word as views, got an object"):
        infomin.pretrain(data, views=g, **{"views.crops": "shared"})
    with refused("method: expected one of auto, byol, cmc, .*, got 'bjol'"):
        infomin.pretrain(data, method="bjol")
    with refused("temperature: expected a number > 0, got -1"):
        infomin.pretrain(data, **{"pretrain.temperature": -1})
    with refused("test: expected the classes of train"):
        train_and_test(data, infomin.from_torch((torch.rand(8, 3, 32, 32), [5] * 8)))


def test_public_names_are_listed():
    assert {"learn_views", "pretrain", "evaluate", "from_torch", "info_nce"} <= {*dir(infomin)}
    assert (Path(infomin.__file__).parent / "py.typed").is_file()
    for name in infomin.__all__:
        assert getattr(infomin, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = infomin.nothing


def test_test_images_of_another_data_set_keep_their_classes():
    from infomin.cli.verbs import train_and_test

    def pictures(labels):
        return torch.zeros(len(labels), 3, 8, 8, dtype=torch.uint8), [*labels]

    train = infomin.from_torch(pictures("abcabc"), pictures("abc"))
    data = train_and_test(train, pictures("bccb"))
    assert data.classes == ("a", "b", "c") and sorted(data.test.labels.tolist()) == [1, 1, 2, 2]
    with refused(r"^test: expected the classes of train \(a, b, c\), got d too; leave these im"):
        train_and_test(train, pictures("bddb"))
