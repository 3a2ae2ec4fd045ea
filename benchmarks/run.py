"""Run the benchmarks in turn, each in a separate process, on an idle machine.

    python benchmarks/run.py                    all benchmarks of the CPU
    python benchmarks/run.py flows startup      two of them
    python benchmarks/run.py augmentation_gpu   the benchmark of a GPU
    python benchmarks/run.py --quick            check that they run; write nothing

Writes benchmarks/results/<name>.json with all measurements, commit, versions and hardware, and
benchmarks/results/table.md with the medians of all results in that folder.
"""

import argparse
import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from rows import markdown

from infomin.core import files
from infomin.runs.provenance import provenance

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "results"
NAMES = (
    "pretraining",
    "chunks",
    "bank",
    "game",
    "flows",
    "views",
    "augmentation",
    "data",
    "information",
    "startup",
)
ON_GPU = "augmentation_gpu"
RIVALS = ("lightly", "zuko", "nflows", "kornia", "onnxruntime", "pillow")
IDLE = 0.5  # load average, processes waiting for a core


def run(name: str, quick: bool) -> list[dict[str, Any]]:
    """Run one benchmark, and return its rows."""
    command = [sys.executable, str(FOLDER / f"{name}.py"), *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8")
    if done.returncode:
        sys.exit(f"{name}: failed with status {done.returncode}; the reason is above")
    records: list[dict[str, Any]] = json.loads(done.stdout)
    return records


def table() -> str:
    """Return the table of all results with their provenance."""
    paths = [RESULTS / f"{name}.json" for name in (*NAMES, ON_GPU)]
    results = [files.read_json(path) for path in paths if path.is_file()]
    rows = [row for result in results for row in result["rows"]]
    notes = []
    for result in results:
        p = result["provenance"]
        versions = ", ".join(f"{name} {version}" for name, version in p["versions"].items())
        busy = f", **busy: load {result['load']:.1f}**" if (result["load"] or 0) > IDLE else ""
        notes.append(
            f"* {result['name']}: {p['started'][:10]}, commit {p['commit']}, {p['hardware']}, "
            f"{versions}{busy}"
        )
    head = (
        "Medians of interleaved measurements in one process. Ratio: ours / rival's.\n"
        "`make bench` writes this file; the JSON files in this folder hold all measurements."
    )
    return "\n\n".join([head, markdown(rows), "\n".join(notes)]) + "\n"


def main() -> None:
    """Run benchmarks; write and print their results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions; write nothing")
    arguments = parser.parse_args()
    if arguments.names != [ON_GPU] and (unknown := set(arguments.names) - set(NAMES)):
        parser.error(
            f"expected names of {', '.join(NAMES)}, or {ON_GPU} alone, got "
            f"{', '.join(sorted(unknown))}"
        )
    if arguments.names != [ON_GPU]:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # the others measure the CPU
    load = os.getloadavg()[0]  # before the benchmarks run
    if load > IDLE:
        print(f"warning: the machine is busy (load {load:.1f})", file=sys.stderr)

    for name in arguments.names or NAMES:
        print(f"{name} ...", file=sys.stderr)
        rows = run(name, arguments.quick)
        if arguments.quick:
            print(markdown(rows) + "\n")
            continue
        origin = provenance()
        origin["versions"] |= {d.name: d.version for d in distributions() if d.name in RIVALS}
        result = {"name": name, "load": load, "provenance": origin, "rows": rows}
        files.write_json(files.make_folder(RESULTS) / f"{name}.json", result)
    if not arguments.quick:
        files.write_text(RESULTS / "table.md", table())
        print(table())


if __name__ == "__main__":
    main()
