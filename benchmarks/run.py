"""Run the benchmarks one after another, each in a process of its own, on an idle machine.

    python benchmarks/run.py                    all of them
    python benchmarks/run.py flows startup      these
    python benchmarks/run.py augmentation_gpu   that of a GPU, alone
    python benchmarks/run.py --quick            do they run? nothing is written

Leaves benchmarks/results/<name>.json with every measurement, commit, versions and hardware, and
benchmarks/results/table.md, the medians of all results that are there.
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

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
NAMES = (
    "pretraining",
    "chunks",
    "bank",
    "game",
    "flows",
    "views",
    "augmentation",
    "information",
    "startup",
)
ON_GPU = "augmentation_gpu"
RIVALS = ("lightly", "zuko", "nflows", "kornia", "onnxruntime", "pillow")
IDLE = 0.5  # load average, processes waiting for a core


def run(name: str, quick: bool) -> list[dict[str, Any]]:
    """Run one benchmark, and return its rows."""
    command = [sys.executable, str(HERE / f"{name}.py"), *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{name}: stopped with status {done.returncode}, for the reason above")
    records: list[dict[str, Any]] = json.loads(done.stdout)
    return records


def table() -> str:
    """Return the table of all results, and where they come from."""
    paths = [RESULTS / f"{name}.json" for name in (*NAMES, ON_GPU)]
    results = [json.loads(path.read_text()) for path in paths if path.is_file()]
    rows = [row for result in results for row in result["rows"]]
    notes = []
    for result in results:
        p = result["provenance"]
        versions = ", ".join(f"{name} {v}" for name, v in p["versions"].items())
        busy = f", **busy: load {result['load']:.1f}**" if (result["load"] or 0) > IDLE else ""
        notes.append(
            f"* {result['name']}: {p['started'][:10]}, commit {p['commit']}, {p['hardware']}, "
            f"{versions}{busy}"
        )
    head = (
        "Medians of measurements taken in turn, in one process. Ratio: ours / rival's.\n"
        "Written by `make bench`; each measurement is in the JSON files beside this one."
    )
    return "\n\n".join([head, markdown(rows), "\n".join(notes)]) + "\n"


def main() -> None:
    """Run, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="few repetitions, nothing is written")
    arguments = parser.parse_args()
    if arguments.names != [ON_GPU] and (unknown := set(arguments.names) - set(NAMES)):
        parser.error(
            f"expected names of {', '.join(NAMES)}, or {ON_GPU} alone, got "
            f"{', '.join(sorted(unknown))}"
        )
    if arguments.names != [ON_GPU]:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # these are of the CPU, wherever they run
    load = os.getloadavg()[0]  # before we are the load ourselves
    if load > IDLE:
        print(f"this machine is busy (load {load:.1f}): numbers will be off", file=sys.stderr)

    for name in arguments.names or NAMES:
        print(f"{name} ...", file=sys.stderr)
        rows = run(name, arguments.quick)
        if arguments.quick:
            print(markdown(rows) + "\n")
            continue
        facts = provenance()
        facts["versions"] |= {d.name: d.version for d in distributions() if d.name in RIVALS}
        result = {"name": name, "load": load, "provenance": facts, "rows": rows}
        files.write_json(files.make_folder(RESULTS) / f"{name}.json", result)
    if not arguments.quick:
        files.write_bytes(RESULTS / "table.md", table().encode())
        print(table())


if __name__ == "__main__":
    main()
