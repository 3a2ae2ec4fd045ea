"""Train encoders on views that share chosen factors, and read all factors out: a cell of Table 4.

    python scripts/share_factors.py 'shared=[digit,position]'
    python scripts/share_factors.py 'shared=[background]' digits.root=PATH backgrounds.root=PATH
    python scripts/share_factors.py supervised=true

Takes minutes on one core with budget=small. In result.json, `digit_error` and `background_error`
are shares of the test images and `position_error` is in pixels of the canvas. The errors of chance
have the same units.
"""

from dataclasses import asdict
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from matplotlib.figure import Figure
from omegaconf import DictConfig
from torch import Tensor
from torch.nn import functional as F

from infomin.cli.main import command, instantiate, open_run, plain
from infomin.core import rng
from infomin.core.errors import true_or_false
from infomin.experiments import tables
from infomin.experiments.evaluation_figures import audit_chart, audit_rows
from infomin.models import build_encoders
from infomin.training.distributed import make_fabric
from studies.moving_mnist import evaluation
from studies.moving_mnist.scenes import MovingMnist
from studies.moving_mnist.training import (
    ContrastiveFactors,
    FactorHeads,
    SequenceEncoder,
    SupervisedFactors,
)

_GAP = 2  # pixels between frames
_INCHES = 0.8  # side of a frame in the picture


@command("share_factors")
def share_factors(cfg: DictConfig) -> None:
    """Train on pairs that share chosen factors, and read all factors out."""
    # Scenes
    supervised = cfg.supervised
    true_or_false("supervised", supervised)
    sharing, settings = instantiate(cfg.sharing), instantiate(cfg.training)
    digits, backgrounds = instantiate(cfg.digits), instantiate(cfg.backgrounds)
    motion = instantiate(cfg.motion)
    for data in (digits, backgrounds):
        data.check_classes("Colorful-Moving-MNIST")
    train = MovingMnist(digits.train, backgrounds.train, motion)
    test = MovingMnist(digits.test, backgrounds.test, motion)

    # Encoders: f1 of sequences, f2 of images; the backbone of f2 is evaluated
    fabric = make_fabric(cfg.device, 1, cfg.precision)
    fabric.launch()
    net, optimizer = plain(cfg.encoder) | {"size": motion.frame_size}, instantiate(cfg.optimizer)
    hidden, one_backbone = net.pop("hidden"), net.pop("one_backbone")
    true_or_false("encoder.one_backbone", one_backbone)
    encoders: Any = build_encoders(view_channels=(3, 3), seed=cfg.seed, **net).encoders
    f2, other = encoders
    f1 = SequenceEncoder(f2 if one_backbone else other, hidden, cfg.seed)
    learner: ContrastiveFactors | SupervisedFactors
    if supervised:
        model = FactorHeads(f2, len(digits.classes), len(backgrounds.classes), cfg.seed)
        learner = SupervisedFactors(train, model, optimizer, settings, fabric)
    else:
        learner = ContrastiveFactors(train, sharing, f1, f2, optimizer, settings, fabric)

    # Training
    name = "supervised" if supervised else "+".join(sharing.factors)
    run = open_run(cfg, "share_factors", f"{name}-s{cfg.seed}")
    for _ in run.follow(learner, f"share_factors {name}", cfg.save_every):
        pass

    # Evaluation on test images
    test, numbers, i_nce = test.to(fabric.device), plain(cfg.readout), None
    if supervised:
        readouts = evaluation.supervised_errors(model, train, test, seed=cfg.seed, **numbers)
    else:
        readouts = evaluation.probe_backbone(
            f2.backbone, learner.scenes, test, seed=cfg.seed, **numbers
        )
        i_nce = evaluation.held_out_i_nce(
            f1, f2, test, sharing, settings.temperature, settings.batch, seed=cfg.seed
        )

    # Pictures and records
    v1, v2 = test.sample_pairs(8, sharing, rng.generator(cfg.seed, "picture"))
    title = "trained on labels" if supervised else f"v2 shares {', '.join(sharing.factors)}"
    run.save_picture("views", pairs_picture(test.render(v1), test.render(v2)[:, 0], title))
    shared = None if supervised else sharing.factors
    picture = run.save_picture("audit", audit_chart(readouts, title, shared))
    result = {"digits": digits.name, "backgrounds": backgrounds.name, "seed": cfg.seed}
    result |= {"shared": shared and list(shared), "supervised": supervised}
    result |= {f"{r.factor}_error": r.error for r in readouts}
    result |= {f"{r.factor}_chance": r.chance for r in readouts}
    result |= {"survival": {r.factor: r.score for r in readouts}, "cap": learner.cap}
    result |= {"i_nce": asdict(i_nce) if i_nce else None, "n": cfg.readout.n_test}
    run.finish(result | run.speed)
    print(f"I_NCE held out: {i_nce or 'not part of supervised=true'}")
    print(f"{tables.plain(audit_rows(readouts))}\npicture: {picture}")


@torch.no_grad()
def pairs_picture(
    v1: Float[Tensor, "b t 3 h w"], v2: Float[Tensor, "b 3 h w"], title: str
) -> Figure:
    """Draw one pair per row, in [0, 1]: the frames of v1 from left to right, a gap, and v2."""
    frames = torch.cat([v1, torch.ones_like(v1[:, :1]), v2[:, None]], 1)
    padded = F.pad(rearrange(frames, "b t c h w -> (b t) c h w"), (0, _GAP, 0, _GAP), value=1.0)
    image = rearrange(padded, "(b t) c h w -> (b h) (t w) c", b=len(v1)).cpu().numpy()
    figure = Figure(figsize=(_INCHES * frames.shape[1], _INCHES * len(v1) + 0.6), dpi=120)
    axis = figure.subplots()
    axis.imshow(image)
    side, k = v1.shape[-1] + _GAP, v1.shape[1]
    ticks = [side * (i + 0.5) for i in (*range(k), k + 1)]
    axis.set_xticks(ticks, [*(f"x{i + 1}" for i in range(k)), "v2"], fontsize=12)
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    axis.spines[:].set_visible(False)
    axis.set_title(title, fontsize=12, loc="left")
    figure.tight_layout(pad=0.4)
    return figure


if __name__ == "__main__":
    share_factors()
