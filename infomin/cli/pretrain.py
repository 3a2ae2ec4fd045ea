"""Pretrain encoders on raw or learned views, then evaluate them.

    infomin pretrain views=learned
    infomin pretrain views=raw views.color=ydbdr
    infomin pretrain views=learned method=byol
    infomin pretrain views=learned photometric=simclr views.combine.order=before
    infomin pretrain views=frequency views.sigma=1.0
    infomin pretrain views=learned memory=bank loss=logistic
    infomin pretrain views=raw views.color=ydbdr views.crops=shared loss=l1
    infomin pretrain views=patches views.distance=24 data=windows data.root=PATH
    infomin pretrain views=learned views.generator=PATH data=image_folder data.root=PATH

Two minutes on two cores with budget=small. The encoder is in runs/pretrain/RUN/encoder.
"""

from typing import Any

from omegaconf import DictConfig

from infomin import evaluation
from infomin.augment import resize
from infomin.cli.build import Pretraining, build_pretraining, plan_pretraining
from infomin.cli.build_views import read_viewed_data
from infomin.cli.launch import launch
from infomin.cli.main import command, next_command, open_run, plain, show
from infomin.core import rng
from infomin.data import DataSet
from infomin.evaluation.collapse import collapse_history, find_collapses
from infomin.evaluation.monitoring import line
from infomin.information import Estimate
from infomin.methods.predictive import Predictive
from infomin.models.pretrained_encoder import PretrainedEncoder
from infomin.runs.folder import Run
from infomin.runs.pictures import parse_false_color, views_picture
from infomin.runs.prediction_pictures import predictions_picture
from infomin.runs.progress import show_work
from infomin.training.schedule import steps_to_keep
from infomin.views import PatchViews, View

MONITOR = "monitor/"
"""Prefix of logged metrics of the monitoring."""


@command("pretrain")
def pretrain(cfg: DictConfig) -> None:
    """Pretrain, evaluate and save."""
    run_pretraining(cfg)


def run_pretraining(
    cfg: DictConfig, data: DataSet | None = None, views: View | None = None
) -> PretrainedEncoder:
    """Pretrain, evaluate and save; return the encoder, on the CPU and in evaluation mode.

    Arguments:
        cfg: configuration.
        data, views: given ones; None builds those of the configuration.
    """
    plan = plan_pretraining(cfg)
    data = read_viewed_data(cfg) if data is None else data
    false_color = parse_false_color(cfg.false_color, data.channel_names)
    fabric, data = launch(cfg, data)
    built = build_pretraining(cfg, plan, data, fabric, views)
    encoder, views = built.encoder, built.encoder.views

    run = open_run(cfg, "pretrain", f"{views}-s{cfg.seed}", fabric.is_global_zero)
    facts = built.facts | train(run, built, f"pretrain {views}", cfg.save_every, cfg.keep)
    if not fabric.is_global_zero:
        return encoder

    result = {"data": data.name, "views": str(views), "seed": cfg.seed, "method": cfg.method}
    with show_work("measuring I_NCE on held-out images"):
        result |= {"trained_by": cfg.loss.name} | held_out(built, data)
    if data.classes:
        with show_work("linear probe and kNN"):
            result |= evaluation.evaluate(encoder, data, seed=cfg.seed, **plain(cfg.probe))
    result |= run.speed | facts
    folder = encoder.save(run.product_folder("encoder"), result)
    picture = draw(run, built, data, false_color)
    run.finish(result)
    report(cfg, result, encoder, folder, picture)
    return encoder.cpu().eval()


def train(
    run: Run, built: Pretraining, label: str, save_every: float, keep: int = 0
) -> dict[str, Any]:
    """Run the trainer to its end; return the last measurements of the monitor for the result.

    Earlier measurements are read from the log, so that a resumed run has them too.

    Arguments:
        run: its folder.
        built: the trainer, and the encoder.
        label: of the progress line.
        save_every: seconds between two checkpoints.
        keep: number of encoders that are saved along the way.
    """
    trainer, monitor = built.trainer, built.monitor
    kept = steps_to_keep(trainer.steps, keep)
    for metrics in run.follow(trainer, label, save_every):
        if run.main and trainer.step in kept:
            facts = {"step": trainer.step, "steps": trainer.steps} | built.facts
            built.encoder.save(run.product_folder(f"along/{trainer.step:07d}"), facts)
        if monitor and trainer.step in monitor.steps and (values := monitor.measure(metrics)):
            known = find_collapses(earlier[-1]) if (earlier := measurements(run)) else {}
            run.log(trainer.step, {f"{MONITOR}{name}": value for name, value in values.items()})
            run.show_line(line(values))
            for kind, warning in find_collapses(values).items():
                if kind not in known:
                    run.show_line(f"warning: {warning}")
    logged = measurements(run) if monitor else []
    return {"monitor": logged[-1], "collapsed": collapse_history(logged)} if logged else {}


def measurements(run: Run) -> list[dict[str, float]]:
    """Return the logged measurements of the monitor, in order of time."""
    return [
        {name.removeprefix(MONITOR): value for name, value in row.items() if name != "step"}
        for row in run.logged(f"{MONITOR}epoch")
    ]


def held_out(built: Pretraining, data: DataSet) -> dict[str, Any]:
    """Return I_NCE of held-out images, or errors of predicted pixels, for the result.

    Embeddings that were not trained by a contrast are no estimate of I_NCE.
    """
    trainer, views = built.trainer, built.encoder.views
    method, settings = trainer.method, trainer.settings
    test = data.with_views(views.sources).test
    if isinstance(method, Predictive):
        errors = evaluation.prediction_errors(method, views, test.source)
        return {"i_nce": None, "predictions": [error._asdict() for error in errors]}
    if method.cap is None or not settings.epochs:
        return {"i_nce": None}
    i_nce = evaluation.held_out_i_nce(
        views,
        built.encoder.encoders,
        test.source,
        trainer.loader.augment,
        settings.temperature,
        settings.batch,
        view_mask=test.view_mask,
    )
    return {"i_nce": i_nce.record(), "temperature": settings.temperature}


def draw(run: Run, built: Pretraining, data: DataSet, false_color: tuple[int, ...] | None) -> Any:
    """Draw the views of some test images, and what is predicted of them; return the path."""
    views, method = built.encoder.views, built.trainer.method
    sample = resize(data.test.spread(10).to(built.trainer.fabric.device), data.size)
    if isinstance(method, Predictive):
        whole, predicted = evaluation.predict(method, views, sample)
        title = f"{views}, {method.name.upper()}"
        figure = predictions_picture(
            sample.cpu(),
            whole,
            predicted,
            title,
            data.channel_names,
            data.value_range,
            false_color,
        )
        run.save_picture("predictions", figure)
    params: Any = None
    if isinstance(views, PatchViews):
        params = views.sample(len(sample), rng.generator(built.trainer.settings.seed, "picture"))
    figure = views_picture(
        views.cpu(), sample.cpu(), str(views), data.channel_names, params, false_color
    )
    return run.save_picture("views", figure)


def report(
    cfg: DictConfig,
    result: dict[str, Any],
    encoder: PretrainedEncoder,
    folder: Any,
    picture: Any,
) -> None:
    """Print results, and what to type next."""
    if "predictions" in result:
        errors = [evaluation.PredictionError(**error) for error in result["predictions"]]
        print(f"error of predicted pixels, held out: {', '.join(map(str, errors))}")
    elif result["i_nce"] is None:
        print("I_NCE: none, these encoders were not trained by a contrast")
    else:
        pair = ", of views 1 and 2" if len(encoder.views.view_channels) > 2 else ""
        print(f"I_NCE held out{pair}: {Estimate.from_record(result['i_nce'])}")
    if "top1" in result:
        print("linear probe {top1:.1%}, kNN {knn:.1%}, chance {chance:.1%}".format(**result))
        print(f"protocol: {result['protocol']}")
    else:
        print(f"data {result['data']} has no labels: no linear probe and no kNN")
    show("picture", picture)
    show("encoder", folder)
    print(f"next: {next_command(cfg, 'evaluate')}, or {next_command(cfg, 'export-encoder')}")
