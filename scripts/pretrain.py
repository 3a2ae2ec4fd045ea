"""Pretrain encoders on raw or learned views, then judge them.

    python scripts/pretrain.py views=learned
    python scripts/pretrain.py views=raw views.color=ydbdr
    python scripts/pretrain.py views=learned photometric=simclr views.combine.order=before
    python scripts/pretrain.py views=learned views.generator=PATH data=image_folder data.root=PATH

Two minutes on two cores with budget=small. Leaves runs/pretrain/<run>/encoder for linear_eval.py.
"""

from dataclasses import asdict

from cli import build, main, open_run, plain
from making import lineage, make_augment, make_views, named_generator
from omegaconf import DictConfig

from infomin import evaluation
from infomin.augment import resize
from infomin.encoders import build_towers
from infomin.parallel import make_fabric
from infomin.pretrained import Pretrained
from infomin.report.pictures import views_picture
from infomin.training.contrastive import Pretraining


@main("pretrain")
def pretrain(cfg: DictConfig) -> None:
    """Pretrain, judge and save."""
    # Data and views
    settings = build(cfg.pretrain)
    data = build(cfg.data)
    data.needs_classes("evaluation")
    fabric = make_fabric(cfg.device, cfg.devices, cfg.precision)
    fabric.launch()
    augment, generator = make_augment(cfg, data), named_generator(cfg)
    views, source = make_views(cfg, data, fabric, generator), lineage(generator)

    # Encoders: one tower per view
    encoder = plain(cfg.encoder)
    towers = build_towers(view_channels=views.view_channels, seed=cfg.seed, **encoder)
    towers.tap(cfg.probe.tap)  # unknown: say so before the training
    optimizer = build(cfg.optimizer)
    learner = Pretraining(views, towers, data.train.images, augment, optimizer, settings, fabric)

    # Pretraining
    run = open_run(cfg, "pretrain", f"{views}-s{cfg.seed}", fabric.is_global_zero)
    for _ in run.follow(learner, f"pretrain {views}", cfg.save_every):
        pass
    if not fabric.is_global_zero:
        return

    # What came out: held-out I_NCE, linear probe, kNN
    data = data.to(fabric.device)
    i_nce = evaluation.held_out_i_nce(
        views, towers, data.test.images, augment, settings.temperature, settings.batch
    )
    pretrained = Pretrained(views, towers, encoder)
    judged = evaluation.judge(pretrained, data, seed=cfg.seed, **plain(cfg.probe))
    result = {"data": data.name, "views": str(views), "seed": cfg.seed, "i_nce": asdict(i_nce)}
    result |= judged | run.rate | source
    folder = pretrained.save(run.place("encoder"), result)
    sample = resize(data.test.images[:: max(1, len(data.test) // 10)][:10], data.size)
    drawn = views_picture(views.cpu(), sample.cpu(), str(views), data.channel_names)
    picture = run.picture("views", drawn)
    run.finish(result)
    print(f"I_NCE held out: {i_nce}")
    print("linear probe {top1:.1%}, kNN {knn:.1%}, chance {chance:.1%}".format(**judged))
    print(f"protocol: {judged['protocol']}\nencoder: {folder}\npicture: {picture}")


if __name__ == "__main__":
    pretrain()
