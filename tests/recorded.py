"""Folders of runs as scripts leave them, without the work that they record."""

import json

import yaml
from PIL import Image

PROTOCOL = "linear, standardised frozen features, d=64, Adam, 5 epochs"


def pretraining(views="raw", seed=0, **changes):
    """The configuration of a pretraining; changes have dotted names with `__` for the dot."""
    config = {
        "data": {"_target_": "infomin.data.photos", "size": 32, "seed": 0},
        "views": {"kind": views, "color": "rgb"} if views == "raw" else {"kind": views},
        "encoder": {"name": "fourconv", "size": 32},
        "augment": {"size": 32, "scale": [0.5, 1.0]},
        "budget": {"name": "smoke", "size": 32},
        "pretrain": {"epochs": 1, "batch": 128, "seed": seed},
        "seed": seed,
        "device": "auto",
    }
    for name, value in changes.items():
        *path, last = name.split("__")
        part = config
        for step in path:
            part = part.setdefault(step, {})
        part[last] = value
    return config


def judged(top1=0.5, views="raw-rgb", i_nce=1.0, **more):
    """The result of a pretraining."""
    given = {"data": "photos", "views": views, "top1": top1, "knn": top1 - 0.05, "chance": 0.125}
    given |= {"i_nce": {"value": i_nce, "low": i_nce - 0.1, "high": i_nce + 0.1, "cap": 4.85}}
    return given | {"protocol": PROTOCOL, "seconds": 90.0} | more


def record(root, name, config, result=None, kind="pretrain", steps=4):
    """Write a run; without a result it is unfinished."""
    folder = root / kind / name
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    given = {"command": f"python scripts/{kind}.py", "commit": "abc1234", "hardware": "a machine"}
    given |= {"started": f"2026-01-31T12:00:00+00:00 {name}"}
    (folder / "provenance.json").write_text(json.dumps(given))
    logged = [{"step": 10 * i, "loss": 4.0 - i / 9, "i_nce": 0.1 * i} for i in range(1, steps + 1)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(m) + "\n" for m in logged))
    if result is not None:
        (folder / "result.json").write_text(json.dumps(result))
        (folder / "pictures").mkdir()
        Image.new("RGB", (300, 120), (90, 120, 40)).save(folder / "pictures" / "views.png")
    return folder


def several(root, accuracies):
    """Write a pretraining for each view and seed, such as `{"raw-rgb": [0.5, 0.6]}`."""
    for views, values in accuracies.items():
        kind, color = views.split("-")
        for seed, top1 in enumerate(values):
            config = pretraining(kind, seed, views__color=color)
            record(root, f"{views}-s{seed}", config, judged(top1, views, 1 + seed / 10, seed=seed))
    return root
