"""Estimate how many nats two views share, on images that trained nothing.

    python scripts/estimate_information.py views=raw views.color=ydbdr
    python scripts/estimate_information.py views=learned data=image_folder data.root=PATH k=1024
    python scripts/estimate_information.py pretrained=runs/pretrain/RUN/encoder unit=bits
    python scripts/estimate_information.py self_test=true

Two minutes on two cores with budget=small, as long as a pretraining; the self-test too.
"""

from dataclasses import asdict
from itertools import combinations

from omegaconf import DictConfig

from infomin import evaluation
from infomin.cli.augmenting import make_augment, make_crops
from infomin.cli.calibrating import self_test
from infomin.cli.embedding import embeds
from infomin.cli.lacking import seen_by
from infomin.cli.main import build, main, open_run, plain, taken
from infomin.cli.viewing import make_views
from infomin.core import presence
from infomin.core.errors import one_of
from infomin.methods.objectives import build_objective
from infomin.models import build_encoders
from infomin.models.pretrained import load_pretrained
from infomin.training.contrastive import Pretraining
from infomin.training.distributed import make_fabric


@main("estimate_information")
def estimate_information(cfg: DictConfig) -> None:
    """Train encoders to find what views share, and measure it on held-out images."""
    one_of("unit", cfg.unit, ("nats", "bits"))
    if cfg.self_test:
        return self_test(cfg)

    # Data, views, and encoders: those named, or new ones
    make_crops(cfg)  # wrong: say so before any image is read
    settings, data = build(cfg.pretrain), build(cfg.data)
    fabric, temperature = make_fabric(cfg.device, 1, cfg.precision), settings.temperature
    if cfg.pretrained:
        pretrained = load_pretrained(cfg.pretrained)
        temperature = embeds(cfg.pretrained) or temperature
        print(taken("encoder", cfg.pretrained, data.name))
        views, encoders, names = pretrained.views, pretrained.encoders, pretrained.channel_names
        data.suits(f"pretrained: {cfg.pretrained}", views.channels, views.value_range, names)
        cfg.encoder.size = pretrained.size
        augment = make_augment(cfg, data)
    else:
        augment = make_augment(cfg, data)
        views, _ = make_views(cfg, data, fabric)
        encoders = build_encoders(
            view_channels=views.view_channels, seed=cfg.seed, **plain(cfg.encoder)
        )
    data, present = seen_by(views, data, fabric)
    there = data.test.present
    k = evaluation.sizes(plain(cfg.k), presence.fewest(there, len(data.test)))

    # Training, in the loss that is the bound
    run = open_run(cfg, "estimate_information", f"{views}-s{cfg.seed}")
    if not cfg.pretrained:
        images, optimizer = data.train.images, build(cfg.optimizer)
        numbers = (len(images), settings.batch, settings.temperature)
        options = {"chunk": settings.chunk, "present": data.train.present}
        objective = build_objective(encoders, *numbers, **options)
        told = (augment, optimizer, settings, fabric, objective)
        learner = Pretraining(views, encoders, images, *told)
        for _ in run.follow(learner, f"estimate {views}", cfg.save_every):
            pass

    # What every pair of views shares, at every K
    data = data.to(fabric.device)
    z = evaluation.held_out_embeddings(views, encoders, data.test.images, augment, present=there)
    found = []
    for (i, z1), (j, z2) in combinations(enumerate(z, 1), 2):
        who = presence.both(there, i - 1, j - 1)
        pair = presence.chosen(z1, who), presence.chosen(z2, who)
        for size in k:
            i_nce = evaluation.i_nce_between(*pair, temperature, size)
            print(f"I_NCE(v{i}; v{j}), K = {size}: {i_nce.format(bits=cfg.unit == 'bits')}")
            found.append({"views": [i, j], "k": size, **asdict(i_nce)})
    result = {"data": data.name, "views": str(views), "seed": cfg.seed, "i_nce": found}
    run.finish(result | {"temperature": temperature} | present)
