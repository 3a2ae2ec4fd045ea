"""Opens folders in a process of its own, as users do: without the type checks of the tests.

    python opening.py generator GOOD FOLDERS

writes one line of JSON a folder: its name, what became of it, and in what words; then the memory
that it took, in bytes.
"""

import json
import re
import sys
from pathlib import Path

import torch

import infomin
from infomin.core.errors import InputError
from infomin.models.pretrained_encoder import load_encoder


def memory(field):
    """Return VmRSS or VmHWM, in bytes.

    Not `getrusage`: its peak begins at that of the process that started this one.
    """
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(rf"{field}:\s*(\d+) kB", status)[1])


def content(loaded):
    """Tell everything of a generator or an encoder that matters: words, weights, outputs."""
    images = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    if isinstance(loaded, infomin.ViewGenerator):
        words = json.dumps(loaded.architecture, sort_keys=True)
        return words, loaded.state_dict(), loaded(images)
    g = loaded.views.generator
    words = [loaded.options, g.architecture, loaded.views.crops]
    weights = {**loaded.encoders.state_dict(), **g.state_dict()}
    return json.dumps(words, sort_keys=True), weights, loaded.encoders(loaded.views(images))


def same(a, b):
    return (
        a[0] == b[0]
        and a[1].keys() == b[1].keys()
        and all(w.dtype == b[1][name].dtype for name, w in a[1].items())
        and all(torch.equal(w, b[1][name]) for name, w in a[1].items())
        and all(torch.equal(v, w) for v, w in zip(a[2], b[2], strict=True))
    )


def outcome(load, folder, original):
    """Say what becomes of a folder, and in what words."""
    try:
        loaded = load(folder)
    except BaseException as error:
        return ("refused" if type(error) is InputError else "crashed"), str(error)
    try:
        return ("the same" if same(content(loaded), original) else "another"), ""
    except InputError as error:
        return "another", str(error)


def main(kind, good, root):
    load = {"generator": infomin.load_generator, "encoder": load_encoder}[kind]
    original = content(load(good))
    start = memory("VmRSS")
    for folder in sorted(Path(root).iterdir()):
        print(f'["{folder.name}", ', end="", flush=True)  # whoever hangs is known
        print(json.dumps(outcome(load, folder, original))[1:], flush=True)
    print(memory("VmHWM") - start)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        main(*sys.argv[1:])
