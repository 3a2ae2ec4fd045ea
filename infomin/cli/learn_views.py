"""Learn a view generator g by the game between g and f1, f2 (InfoMin, section 4.2).

    python scripts/learn_views.py mode=semi
    python scripts/learn_views.py mode=unsup color=ydbdr data=image_folder data.root=PATH
    python scripts/learn_views.py mode=semi select=sweet_spot
    python scripts/learn_views.py -m seed=0,1,2

Three minutes on two cores, budget=small. Leaves runs/learn_views/<run>/generator for pretrain.py.
"""

import sys
from dataclasses import asdict

from omegaconf import DictConfig

from infomin import evaluation
from infomin.augment import resize
from infomin.cli.lacking import launch
from infomin.cli.main import build, main, open_run, plain
from infomin.cli.selecting import keeping, select, steps_kept
from infomin.core.rng import seeded
from infomin.generator import ViewGenerator
from infomin.models import build_encoders
from infomin.runs.pictures import color_picture, views_picture
from infomin.training.diagnosis import diagnose
from infomin.training.view_learning import Game
from infomin.views import LearnedViews


@main("learn_views")
def learn_views(cfg: DictConfig) -> None:
    """Learn, check and save a generator."""
    # Data, and whose labels may be seen
    settings, augment, mode = build(cfg.game), build(cfg.augment), cfg.game.mode
    kept, data = steps_kept(cfg), build(cfg.data)
    data.needs_all("the game")
    augment.fits(*data.train.images.shape[2:], setting="budget.patch")
    labelled = data.train.labels[:0]  # none
    if settings.classified:
        data.needs_classes(f"mode={mode}, unlike mode=unsup,")
        labelled = build(cfg.labels, data.train.labels, seed=cfg.seed)

    # Players: the generator, its estimators f and classifiers c
    fabric = launch(cfg, data)
    start, net = {"groups": plain(cfg.groups), "color": cfg.color}, plain(cfg.estimator)
    with seeded(cfg.seed, "generator"):
        g = ViewGenerator(**data.kind, **start, flow=plain(cfg.flow))
    f = build_encoders(view_channels=g.view_channels, seed=cfg.seed, **net)
    net["dim"] = max(len(data.classes), 2)
    c = build_encoders(view_channels=g.view_channels, seed=cfg.seed, normalize=False, **net)
    game = Game(g, cfg.crops, f, c, data.train, labelled, augment, settings, fabric)

    # The game
    run = open_run(cfg, "learn_views", f"{mode}-{cfg.color}-s{cfg.seed}", fabric.is_global_zero)
    keeping(run.follow(game, f"learn_views {mode}", cfg.save_every), game, run, kept)
    if not fabric.is_global_zero:
        return

    # What came out, measured on held-out images
    g, test, told = game.result.eval(), data.test.to(fabric.device), {}
    if cfg.select == "sweet_spot":
        g, f, told = select(cfg, run, game, labelled)
    views, i_nce, class_accuracy = LearnedViews(g, cfg.crops), None, []
    if settings.informed or told:
        numbers = settings.temperature, settings.batch
        i_nce = evaluation.held_out_i_nce(views, f, test.images, augment, *numbers)
    if settings.classified and not told:  # c are those of the last g
        class_accuracy = evaluation.classifier_accuracy(views, c, test, augment.size)
    sample = resize(test.images[:: max(1, len(test) // 256)][:256], data.size)
    warnings = diagnose(g, sample, i_nce, class_accuracy, len(data.classes))
    check = g.check(sample)

    # The generator, its card and its pictures
    result = {"data": data.name, "objective": mode, "seed": cfg.seed, "steps": settings.steps}
    result |= {"labels": len(labelled), "i_nce": asdict(i_nce) if i_nce else None}
    result |= {"class_accuracy": class_accuracy, "collapsed": warnings, "check": asdict(check)}
    result |= {"settings": plain(cfg.game), "curve": run.curve("i_nce"), **told, **run.rate}
    folder = g.cpu().save(run.place("generator"), result)
    shown = sample[:: max(1, len(sample) // 10)][:10].cpu()
    title = f"views learned from {cfg.color}, mode={mode}, seed {cfg.seed}, {data.name}"
    picture = run.picture("views", views_picture(views.cpu(), shown, title, g.channel_names))
    run.picture("color", color_picture(g, sample.cpu()))
    run.finish(result)
    print(*(f"warning: {warning}\n" for warning in warnings), sep="", end="", file=sys.stderr)
    print(f"I_NCE held out: {i_nce or 'not part of mode=sup'}")
    print(f"round trip error {check.round_trip_error:.1e}; picture: {picture}\ngenerator: {folder}")
