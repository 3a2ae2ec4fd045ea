"""Judge a pretrained encoder by a linear probe and kNN on frozen features.

    python scripts/linear_eval.py
    python scripts/linear_eval.py pretrained=runs/pretrain/RUN/encoder probe.tap=conv3
    python scripts/linear_eval.py layers=true 'only_views=[0]'

Seconds on two cores with budget=small. Where the factors of images are known, as with data=scenes,
they are audited: which of them survive in the features.
"""

from dataclasses import asdict

from omegaconf import DictConfig

from infomin import evaluation
from infomin.cli.main import build, main, open_run, plain, taken
from infomin.core.errors import true_or_false
from infomin.experiments import tables
from infomin.experiments.audits import audit_chart, audit_rows
from infomin.models.pretrained import load_pretrained
from infomin.runs.folder import newest

SHOWN = ("top1", "knn")
"""What is told of every layer."""


@main("linear_eval")
def linear_eval(cfg: DictConfig) -> None:
    """Load, judge and report."""
    # Encoder and data
    folder = cfg.pretrained or newest(cfg.out, "pretrain", "encoder")
    pretrained = load_pretrained(folder)
    pretrained.encoders.tap(cfg.probe.tap)
    data = build(cfg.data)
    print(taken("encoder", folder, data.name))
    views = pretrained.views
    names = pretrained.channel_names
    data.suits(f"encoder: {folder}", views.channels, views.value_range, names)
    pretrained = pretrained.only(plain(cfg.only_views))
    true_or_false("layers", cfg.layers)

    # Probe and kNN
    run = open_run(cfg, "linear_eval", data.name)
    probe, taps = plain(cfg.probe), pretrained.encoders.taps if cfg.layers else ()
    result = evaluation.judge(pretrained, data, seed=cfg.seed, **probe)
    each = {
        t: evaluation.judge(pretrained, data, seed=cfg.seed, **probe | {"tap": t}) for t in taps
    }
    result["layers"] = {tap: {name: told[name] for name in SHOWN} for tap, told in each.items()}

    # Factors, where they are known
    audited = []
    if data.test.factors:
        tap, epochs = cfg.probe.tap, cfg.probe.epochs
        audited = evaluation.probe_encoder(pretrained, data, tap, cfg.seed, epochs=epochs)
        run.picture("audit", audit_chart(audited, f"encoder of {views}"))
        result["audit"] = [asdict(s) | {"survival": s.score} for s in audited]

    # Report
    run.finish(
        {"encoder": str(folder), "views": str(pretrained.views), "data": data.name, **result}
    )
    print("linear probe {top1:.1%}, kNN {knn:.1%}, chance {chance:.1%}".format(**result))
    print(f"protocol: {result['protocol']}")
    if each:
        print(tables.plain(tables.layers(result["layers"])))
    if audited:
        print(tables.plain(audit_rows(audited)))
