"""The self-test of `estimate_information`: pairs whose information is known."""

from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig

from infomin.cli.main import OVERRIDES, open_run, plain
from infomin.core import files
from infomin.core.errors import one_of
from infomin.evaluation import calibration
from infomin.experiments import tables
from infomin.experiments.evaluation_figures import calibration_figure, calibration_table
from infomin.runs.progress import Progress
from infomin.training.critic_learning import CriticSettings
from infomin.training.distributed import make_fabric


def self_test(cfg: DictConfig) -> None:
    """Learn a critic for each distribution, measure it, and tabulate what came out."""
    # The distributions
    one_of("precision", cfg.precision, ("auto", "32-true"))
    c = cfg.calibration
    settings = CriticSettings(c.steps, c.batch, c.rate, seed=cfg.seed)
    cases = calibration.make_cases(settings, c.k, c.anchors)
    fabric = make_fabric(cfg.device, 1, "32-true")
    run = open_run(cfg, "estimate_information", f"self-test-s{cfg.seed}")

    # A critic for each
    rows = []
    for number, case in enumerate(cases, 1):
        learner, losses = calibration.make_learner(case, fabric), []
        with Progress(learner, f"{number}/{len(cases)} {case.known.name}") as progress:
            for metrics in learner:
                progress.update(metrics)
                losses.append(metrics["loss"])
        rows.append(calibration.evaluate_case(case, learner.critic, losses))

    # Table and figure
    table = calibration_table(rows, cfg.unit == "bits")
    picture = run.save_picture("calibration", calibration_figure(rows))
    run.finish({"rows": [asdict(row) for row in rows]})
    command = tables.shareable_command(["python scripts/estimate_information.py", *OVERRIDES])
    text = f"{tables.markdown(table)}\n\n{tables.describe_run(run.folder, command)}"
    files.write_bytes(run.folder / "table.md", text.encode())
    for document in plain(cfg.write):
        tables.replace_section(Path(document), "calibration", text)
    print(f"\n{tables.plain(table)}\n\npicture: {picture}")
