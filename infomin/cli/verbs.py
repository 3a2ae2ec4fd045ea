"""The verbs of the Python API: commands as functions, on data and views that are already there.

    train = infomin.from_torch(dataset)
    g = infomin.learn_views(train, mode="semi", labels=0.1)
    encoder = infomin.pretrain(train, views=g, method="cmc", encoder="resnet18", epochs=20)
    print(infomin.evaluate(encoder, train, test))

Every option of a command is a keyword of its verb, under the same name and with the same default
from `conf/`; an option inside a node is written `optimizer={"lr": 1e-3}` or
`**{"optimizer.lr": 1e-3}`.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import hydra
import torch
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException
from torch.utils.data import Dataset

from infomin import evaluation
from infomin.cli import CONF
from infomin.cli.estimate_information import run_estimate
from infomin.cli.learn_views import run_game
from infomin.cli.plainly import one_line
from infomin.cli.pretrain import run_pretraining
from infomin.core.errors import InputError
from infomin.core.files import expanded, plain_path
from infomin.core.path_options import escaped, is_path
from infomin.data import DataSet, ImageSet, from_torch
from infomin.data.labels import renumber
from infomin.generator import ViewGenerator
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.shipped import generator_folder
from infomin.views import LearnedViews, View

Data = DataSet | Dataset[Any] | Any
"""A `DataSet`, or anything that `infomin.from_torch` takes."""


def learn_views(data: Data, *, mode: str = "semi", **options: Any) -> ViewGenerator:
    """Learn a view generator, as `infomin learn-views` does (InfoMin, section 4.2).

    Arguments:
        data: images, with labels for the modes `semi` and `sup`.
        mode: `semi` (I_NCE and labels), `unsup` (I_NCE) or `sup` (labels).
        options: of the command: `labels` (a share or a number), `steps`, `batch`, `color`,
            `groups`, `seed`, `device`, `budget`, `out`, ...; `infomin learn-views --help` lists
            them all.

    Returns:
        The generator, frozen; the run folder below `out` holds it too.

    Raises:
        InputError: in one line, for whatever does not fit.
    """
    images = from_torch(data)
    with input_errors():
        return run_game(compose("learn_views", images, {"mode": mode, **options}), images)


def pretrain(
    data: Data, *, views: View | ViewGenerator | str | Path = "raw", **options: Any
) -> PretrainedEncoder:
    """Pretrain encoders on views and evaluate them, as `infomin pretrain` does.

    Arguments:
        data: images; labels are used for the evaluation only.
        views: a generator, views, the folder of a saved generator, or a word of the command: `raw`,
            `whole`, `frequency`, ...
        options: of the command: `method`, `encoder`, `epochs`, `batch`, `seed`, `device`, `budget`,
            `out`, ...; `infomin pretrain --help` lists them all.

    Returns:
        One module: images with all their channels in, features out; the run folder holds it too.

    Raises:
        InputError: in one line, for whatever does not fit.
    """
    images, (words, made) = from_torch(data), view_options(views, options)
    with input_errors():
        cfg = compose("pretrain", images, {**words, **options})
        return run_pretraining(cfg, images, made)


def estimate_information(
    data: Data, *, views: View | ViewGenerator | str | Path = "raw", **options: Any
) -> list[dict[str, Any]]:
    """Estimate the nats that pairs of views share, as `infomin estimate-information` does.

    Arguments:
        data: images.
        views: see `pretrain`.
        options: of the command: `k`, `pretrained`, `unit`, ...

    Returns:
        Of every pair and K: `views`, `k`, `value`, `low`, `high` (a sampling interval) and `cap` in
        nats, and `flags`, signs that the value is not to be trusted; see `information.Estimate`.

    Raises:
        InputError: in one line, for whatever does not fit.
    """
    images, (words, made) = from_torch(data), view_options(views, options)
    with input_errors():
        cfg = compose("estimate_information", images, {**words, **options})
        return run_estimate(cfg, images, made)


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of frozen features.

    Attributes:
        top1, knn: of a linear probe and of k nearest neighbours on test images, shares of 1.
        chance: of a guess.
        protocol: of both, in words.
    """

    top1: float
    knn: float
    chance: float
    protocol: str

    def __str__(self) -> str:
        return f"linear probe {self.top1:.1%}, kNN {self.knn:.1%}, chance {self.chance:.1%}"


def evaluate(
    encoder: PretrainedEncoder,
    train: Data,
    test: Data | None = None,
    *,
    seed: int = 0,
    **probe: Any,
) -> Evaluation:
    """Evaluate frozen features by a linear probe and kNN, as `infomin evaluate` does.

    Arguments:
        encoder: of `pretrain` or `load_encoder`.
        train: labelled images that the probe learns from.
        test: labelled images; None takes the test images of `train`.
        seed: of the validation split.
        probe: `tap` (a layer), `neighbours`, `penalties` of the probe.

    Raises:
        InputError: without labels, or for images that the encoder does not take.
    """
    data = train_and_test(train, test)
    data.check_images("encoder", encoder.channels, encoder.value_range, encoder.channel_names)
    usual = OmegaConf.to_container(compose("evaluate", data, {}).probe, resolve=True)
    assert isinstance(usual, dict)
    result = evaluation.evaluate(encoder, data, seed=seed, **{**usual, **probe})
    return Evaluation(*(result[name] for name in ("top1", "knn", "chance", "protocol")))


def train_and_test(train: Data, test: Data | None) -> DataSet:
    """Return training and test images as one data set; all images of `test` are test images.

    Raises:
        InputError: for a test image of a class that no training image has.
    """
    if test is None:
        return from_torch(train)
    if not isinstance(train, DataSet) and not isinstance(test, DataSet):
        return from_torch(train, test)
    data, other = from_torch(train), from_torch(test)
    images = torch.cat([other.train.images, other.test.images])
    labels = torch.cat([other.train.labels, other.test.labels])
    labels = renumber(labels, other.classes, data.classes, "test")
    return replace(data, test=ImageSet.of(images, labels))


def view_options(views: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], View | None]:
    """Return the words of a command for views, and the views where they are there already.

    Raises:
        InputError: for unknown views, or options of views that are there already.
    """
    if isinstance(views, View | ViewGenerator):
        for name in options:
            if name.startswith("views."):
                raise InputError(
                    f"{name}: expected a folder or a word as views, got an object, which has its "
                    f'own options; pass them to it, as in LearnedViews(g, crops="shared")'
                )
        return {}, LearnedViews(views) if isinstance(views, ViewGenerator) else views
    words = sorted(path.stem for path in (CONF / "views").glob("*.yaml"))
    if views in words:
        return {"views": views}, None
    try:
        generator_folder(views)
    except InputError:
        raise InputError(
            f"views: expected a generator, views, or one of {', '.join(words)}, or the folder or "
            f"name of a generator, got {views!r}; infomin.list_generators() has the names"
        ) from None
    return {"views": "learned", "views.generator": str(views)}, None


@contextmanager
def input_errors() -> Iterator[None]:
    """Turn errors of the configuration into an `InputError` of one line."""
    try:
        yield
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(one_line(error)) from None


def compose(name: str, data: DataSet, options: Mapping[str, Any]) -> DictConfig:
    """Return the configuration of a command with options as keywords.

    Raises:
        InputError: for an unknown option or choice.
    """
    words = [
        f"{key}={value}"
        for key, value in options.items()
        if isinstance(value, str) and (CONF / key / f"{value}.yaml").is_file()
    ]
    chosen = {word.partition("=")[0] for word in words}
    with input_errors():
        with hydra.initialize_config_dir(plain_path(CONF), version_base="1.3"):
            cfg = hydra.compose(name, words)
        for key, value in options.items():
            if key in chosen:
                continue
            if isinstance(value, str) and (CONF / key).is_dir():
                names = sorted(path.stem for path in (CONF / key).glob("*.yaml"))
                raise InputError(f"{key}: expected one of {', '.join(names)}, got {value!r}")
            if is_path(key) and isinstance(value, str | Path):
                value = escaped(expanded(str(value)))
            try:
                OmegaConf.update(cfg, key, value)
            except (ConfigAttributeError, ConfigKeyError):
                command = name.replace("_", "-")
                raise InputError(
                    f"{key}: {command} has no such option; `infomin {command} --help` lists all"
                ) from None
    fit_crops(cfg, data.size, options)
    with open_dict(cfg):
        cfg.data = {"name": escaped(data.name)}
    return cfg


def fit_crops(cfg: DictConfig, side: int, options: Mapping[str, Any]) -> None:
    """Lower the side of crops to that of smaller images, unless it was given; say so in one line.

    Arguments:
        cfg: configuration of a command that trains; changed.
        side: of the images, in pixels.
        options: those that were given.
    """
    name = "size" if "encoder" in cfg else "patch"  # of pretraining, of the game
    given = {f"budget.{name}", "encoder.size", "augment.size"} & {*options}
    crop = cfg.budget[name]
    if side < crop and not given and ("encoder" in cfg or "game" in cfg):
        cfg.budget[name] = side
        print(f"budget.{name}: images have {side} pixels, so crops have {side}, not {crop}")
