"""Pretrain encoders on raw or learned views, then judge them.

    python scripts/pretrain.py views=learned
    python scripts/pretrain.py views=raw views.color=ydbdr
    python scripts/pretrain.py views=learned photometric=simclr views.combine.order=before
    python scripts/pretrain.py views=frequency views.sigma=1.0
    python scripts/pretrain.py views=learned memory=bank loss=logistic
    python scripts/pretrain.py views=raw views.color=ydbdr views.crops=shared loss=l1
    python scripts/pretrain.py views=patches views.distance=24 data=windows data.root=PATH
    python scripts/pretrain.py views=learned views.generator=PATH data=image_folder data.root=PATH

Two minutes on two cores with budget=small. Leaves runs/pretrain/<run>/encoder for linear_eval.py.
"""

from omegaconf import DictConfig

from infomin import evaluation
from infomin.augment import resize
from infomin.cli.augmenting import make_augment
from infomin.cli.checking import check
from infomin.cli.lacking import launch, seen_by
from infomin.cli.main import build, main, open_run, plain
from infomin.cli.pretraining import draw_predictions, held_out, make_learner
from infomin.cli.viewing import make_views
from infomin.cli.watching import make_monitor, train
from infomin.core import rng
from infomin.models import build_encoders
from infomin.models.pretrained import Pretrained
from infomin.runs.pictures import views_picture
from infomin.training.predictive import Prediction
from infomin.views import PatchViews


@main("pretrain")
def pretrain(cfg: DictConfig) -> None:
    """Pretrain, judge and save."""
    # Data and views
    check(cfg)
    settings, data = build(cfg.pretrain), build(cfg.data)
    fabric = launch(cfg, data)
    augment = make_augment(cfg, data)
    views, source = make_views(cfg, data, fabric)
    seen, present = seen_by(views, data, fabric)
    if seen.classes:
        seen.needs_classes("evaluation")

    # Encoders: one encoder per view
    encoder = plain(cfg.encoder)
    encoders = build_encoders(view_channels=views.view_channels, seed=cfg.seed, **encoder)
    encoders.tap(cfg.probe.tap)  # unknown: say so before the training
    learner = make_learner(cfg, views, encoders, seen, augment, settings, fabric)

    # Pretraining
    monitor = make_monitor(cfg, learner, seen)
    run = open_run(cfg, "pretrain", f"{views}-s{cfg.seed}", fabric.is_global_zero)
    watched = train(run, learner, monitor, f"pretrain {views}", cfg.save_every)
    if not fabric.is_global_zero:
        return

    # What came out: held-out I_NCE or error; linear probe and kNN, where there are labels
    data = data.to(fabric.device)
    test = data.seen(views.sources).test
    found, told = held_out(learner, test, encoder["size"])
    pretrained = Pretrained(views, encoders, encoder)
    result = {"data": data.name, "views": str(views), "seed": cfg.seed, "trained_by": cfg.loss.name}
    result |= found
    if data.classes:
        result |= evaluation.judge(pretrained, data, seed=cfg.seed, **plain(cfg.probe))
    result |= run.rate | source | present | watched
    folder = pretrained.save(run.place("encoder"), result)
    sample = resize(data.test.images[:: max(1, len(data.test) // 10)][:10], data.size)
    if isinstance(learner, Prediction):
        draw_predictions(run, learner, data, sample, encoder["size"])
    cut = isinstance(views, PatchViews)
    places = views.sample(len(sample), rng.generator(cfg.seed, "picture")) if cut else None
    drawn = views_picture(views.cpu(), sample.cpu(), str(views), data.channel_names, places)
    picture = run.picture("views", drawn)
    run.finish(result)
    print(told)
    if data.classes:
        print("linear probe {top1:.1%}, kNN {knn:.1%}, chance {chance:.1%}".format(**result))
        print(f"protocol: {result['protocol']}")
    else:
        print(f"data {data.name} has no labels: no linear probe and no kNN; on data with labels,")
        print(f"scripts/linear_eval.py pretrained={folder} data=image_folder data.root=PATH")
    print(f"encoder: {folder}\npicture: {picture}")
