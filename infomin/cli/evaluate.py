"""Evaluate a pretrained encoder by a linear probe and kNN on frozen features.

    infomin evaluate
    infomin evaluate pretrained=runs/pretrain/RUN/encoder probe.tap=conv3
    infomin evaluate layers=true 'only_views=[0]'

Seconds on two cores with budget=small. Where the factors of images are known, as with data=scenes,
they are probed too: which of them the features keep.
"""

from dataclasses import asdict

from omegaconf import DictConfig

from infomin import evaluation
from infomin.cli.launch import warn_of_labels
from infomin.cli.main import command, open_run, plain, report_command, show
from infomin.cli.read_data import read_data
from infomin.core.errors import true_or_false
from infomin.experiments import tables
from infomin.experiments.evaluation_figures import audit_chart, audit_rows
from infomin.models.pretrained_encoder import load_encoder
from infomin.runs.lookup import newest
from infomin.runs.progress import show_work

SHOWN = ("top1", "knn")
"""Numbers that are shown for every layer."""


@command("evaluate")
def evaluate(cfg: DictConfig) -> None:
    """Load an encoder, evaluate it and report."""
    true_or_false("layers", cfg.layers)
    folder = cfg.pretrained or newest(cfg.out, "pretrain", "encoder")
    encoder = load_encoder(folder)
    encoder.encoders.tap(cfg.probe.tap)
    data = read_data(cfg, folder, encoder)
    warn_of_labels(data)
    encoder = encoder.only(plain(cfg.only_views))

    run, probe = open_run(cfg, "linear_eval", data.name), plain(cfg.probe)
    by_layer = {}
    with show_work("linear probe and kNN"):
        result = evaluation.evaluate(encoder, data, seed=cfg.seed, **probe)
    for layer in encoder.layers if cfg.layers else ():
        with show_work(f"linear probe and kNN of {layer}"):
            options = probe | {"tap": layer}
            by_layer[layer] = evaluation.evaluate(encoder, data, seed=cfg.seed, **options)
    result["layers"] = {
        layer: {name: numbers[name] for name in SHOWN} for layer, numbers in by_layer.items()
    }
    factors = []
    if data.test.factors:
        with show_work("probes of factors"):
            factors = evaluation.probe_encoder(
                encoder, data, cfg.probe.tap, cfg.seed, penalties=[*cfg.probe.penalties]
            )
        run.save_picture("audit", audit_chart(factors, f"encoder of {encoder.views}"))
        result["audit"] = [asdict(s) | {"survival": s.score} for s in factors]

    where = {"encoder": str(folder), "views": str(encoder.views), "data": data.name}
    path = run.finish({**where, **result})
    print("linear probe {top1:.1%}, kNN {knn:.1%}, chance {chance:.1%}".format(**result))
    print(f"protocol: {result['protocol']}")
    if by_layer:
        print(tables.plain(tables.layers(result["layers"])))
    if factors:
        print(tables.plain(audit_rows(factors)))
    show("result", path)
    print(f"next: {report_command(cfg)}")
