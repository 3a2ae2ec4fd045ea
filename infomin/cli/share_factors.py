"""What an encoder keeps is what its views share: one cell of Table 4, Colorful-Moving-MNIST.

    python scripts/share_factors.py 'shared=[digit,position]'
    python scripts/share_factors.py 'shared=[background]' digits.root=PATH backgrounds.root=PATH
    python scripts/share_factors.py supervised=true

Minutes on one core, budget=small. `digit_error` and `background_error` of result.json are shares of
test images, `position_error` is in pixels of the canvas, and so are the chances beside them.
"""

from dataclasses import asdict

from omegaconf import DictConfig

from infomin import evaluation
from infomin.cli.main import build, main, open_run, plain
from infomin.core import rng
from infomin.core.errors import true_or_false
from infomin.data import moving_mnist
from infomin.experiments import tables
from infomin.experiments.audits import audit_chart, audit_rows
from infomin.experiments.sequences import pairs_picture
from infomin.models import build_encoders, build_sequence_encoder
from infomin.training.distributed import make_fabric
from infomin.training.shared_factors import Heads, SharedFactors, SupervisedFactors


@main("share_factors")
def share_factors(cfg: DictConfig) -> None:
    """Train on pairs that share chosen factors, and read all factors out."""
    # Scenes
    true_or_false("supervised", cfg.supervised)
    sharing, settings, supervised = build(cfg.sharing), build(cfg.training), cfg.supervised
    digits, backgrounds = build(cfg.digits), build(cfg.backgrounds)
    motion = build(cfg.motion)
    train, test = moving_mnist(digits, backgrounds, motion)

    # Encoders: f1 of sequences, f2 of images, whose backbone is judged
    fabric = make_fabric(cfg.device, 1, cfg.precision)
    fabric.launch()
    net, optimizer = plain(cfg.encoder) | {"size": motion.shown}, build(cfg.optimizer)
    hidden, one, like = net.pop("hidden"), net.pop("one_backbone"), {"seed": cfg.seed}
    true_or_false("encoder.one_backbone", one)
    f2, another = build_encoders(view_channels=(3, 3), **like, **net).encoders
    of_frames = (f2 if one else another).backbone
    f1 = build_sequence_encoder(of_frames, 3, net["size"], hidden, net["dim"], **like)
    learner = SharedFactors(train, sharing, f1, f2, optimizer, settings, fabric)
    if supervised:
        with rng.seeded(cfg.seed, "heads"):
            model = Heads(f2, len(digits.classes), len(backgrounds.classes))
        learner = SupervisedFactors(train, model, optimizer, settings, fabric)

    # Training
    what = "supervised" if supervised else "+".join(sharing.factors)
    run = open_run(cfg, "share_factors", f"{what}-s{cfg.seed}")
    for _ in run.follow(learner, f"share_factors {what}", cfg.save_every):
        pass

    # What can be read out of test images
    test, readout, i_nce = test.to(fabric.device), plain(cfg.readout), None
    if supervised:
        numbers = (readout["n_train"], readout["n_test"], cfg.seed)
        found = evaluation.supervised_errors(model, train, test, *numbers)
    else:
        found = evaluation.read_out(f2.backbone, learner.scenes, test, seed=cfg.seed, **readout)
        told = (sharing, settings.temperature, settings.batch)
        i_nce = evaluation.held_out_pairs(f1, f2, test, *told, seed=cfg.seed)

    # Pictures and records
    v1, v2 = test.pairs(8, sharing, rng.generator(cfg.seed, "picture"))
    title = "trained on labels" if supervised else f"v2 shares {', '.join(sharing.factors)}"
    strip = pairs_picture(test.render(v1), test.render(v2)[:, 0], title)
    run.picture("views", strip)
    shared = None if supervised else sharing.factors
    picture = run.picture("audit", audit_chart(found, title, shared))
    result = {"digits": digits.name, "backgrounds": backgrounds.name, "seed": cfg.seed}
    result |= {"shared": shared and list(shared), "supervised": supervised}
    result |= {f"{s.factor}_error": s.error for s in found}
    result |= {f"{s.factor}_chance": s.chance for s in found}
    result |= {"survival": {s.factor: s.score for s in found}, "cap": learner.cap}
    result |= {"i_nce": asdict(i_nce) if i_nce else None, "n": readout["n_test"]}
    run.finish(result | run.rate)
    print(f"I_NCE held out: {i_nce or 'not part of supervised=true'}")
    print(f"{tables.plain(audit_rows(found))}\npicture: {picture}")
