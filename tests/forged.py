"""Folders whose card and weights agree with their digests, as whoever has read the code can make.

What `FORGED` makes must be refused all the same; what `HARMLESS` does must not matter.
"""

import json
import shutil

import torch
from hostile import CARD, ENDLESS, NAMES, ODD, OTHER_TYPES, WEIGHTS, parts, put
from safetensors.torch import load_file, save

from infomin.core import artifact

SWITCHES = [value for value in ODD if not isinstance(value, bool)]
COUNTS = [*ODD, *ENDLESS, 10**5, 10**8, 1024, 1025]
NUMBERS = [value for value in [*ODD, *ENDLESS, 81] if value != 2.5]
GENERATOR = {
    ("channels",): COUNTS,
    ("groups",): [
        *([[0], [1]], [[0, 1, 2]], [[0], [1, 2, 3]], [[0], [0, 1, 2]], [[0], [1, 2.5]]),
        *([[-1], [0]], [[0], [True, 2]], [["0"], ["1", "2"]], [[[0]], [[1, 2]]], "012", 3),
        *([{}, {}], [[i] for i in range(10**5)], [[0]] * 10**5, [[0], [1, 10**18]]),
    ],
    ("color",): ODD,
    ("normalize",): SWITCHES,
    ("value_range",): [
        *([0, 0], [1, 0], [0], [0, 1, 2], [0, 1e308], [-1e308, 1e308], [1, 1 + 1e-12], [0, 1e-45]),
        *([0, 10**400], ["a", "b"], [None, 1], "0,1", {"0": 1}, 1, *([0, e] for e in ENDLESS)),
    ],
    ("channel_names",): [
        *(["R"], ["R", "G", 3], ["R", "G", "B\n"], ["R", "G", "\x1b[2J"], ["x"] * 10**5, 3, {}),
        [None] * 3,
    ],
    ("flow",): ODD,
    ("flow", "kind"): [*ODD, "additive", "spline"],
    ("flow", "blocks"): COUNTS,
    ("flow", "hidden"): COUNTS,
    ("flow", "layers"): COUNTS,
    ("flow", "mixing"): [*ODD, "rotation", "none"],
    ("flow", "mix_output"): SWITCHES,
    ("flow", "log_scale_bound"): NUMBERS,
    ("unknown",): ODD,
    ("flow", "unknown"): ODD,
}
ENCODER = {
    ("encoder",): ODD,
    ("views",): ODD,
    ("encoder", "name"): [*ODD, "resnet", "alexnet"],
    ("encoder", "size"): [*ODD, *ENDLESS, 10**5, 1024],
    ("encoder", "dim"): COUNTS,
    ("encoder", "widths"): [*ODD, [0], [-1], ["a"], [2.5], [10**5], [1] * 10**5, [[4]]],
    ("encoder", "pools"): COUNTS,
    ("encoder", "normalize"): SWITCHES,
    ("encoder", "unknown"): ODD,
    ("views", "kind"): [*ODD, "raw", "whole", "patches", "frequency"],
    ("views", "patch"): [8, -1],
    ("views", "sigma"): [1.0, "1"],
    ("views", "crops"): ODD,
    ("views", "table"): [True, False, None, {}],
    ("views", "photometric"): [None, {"hue": 0.1}],
    ("views", "p"): [0.5, -1],
    ("views", "chosen"): [[0], "all"],
    ("views", "number"): [2, 10**6],
    **{("views", "generator", *path): values for path, values in GENERATOR.items()},
}


def read(folder):
    return json.loads((folder / CARD).read_text()), load_file(folder / WEIGHTS)


def write(folder, card, tensors):
    """Save anything, sealed."""
    tensors = {name: w.contiguous() for name, w in tensors.items()}
    (folder / CARD).write_text(json.dumps(card))
    (folder / WEIGHTS).write_bytes(save(tensors, metadata=artifact.digests(card, tensors)))


def make_claim(path, value):
    """Return the mutation that puts a value at a place in the architecture."""

    def claim(rng, folder):
        card, tensors = read(folder)
        container = card["architecture"]
        for key in path[:-1]:
            container = container[key]
        container[path[-1]] = value
        write(folder, card, tensors)

    return claim


def forged_claims(kind):
    """Return mutations by name: architectures that cannot be built or do not fit the weights."""
    options = {"generator": GENERATOR, "encoder": ENCODER}[kind]
    return {
        f"{'.'.join(path)}-{i}": make_claim(path, value)
        for path, values in options.items()
        for i, value in enumerate(values)
    }


def endless(rng, folder):
    card, tensors = read(folder)
    w = rng.choice([w for w in tensors.values() if w.is_floating_point()])
    w.view(-1)[rng.randrange(w.numel())] = rng.choice(ENDLESS)
    write(folder, card, tensors)


def other_types(rng, folder):
    card, tensors = read(folder)
    to = rng.choice([t for t in OTHER_TYPES if t != torch.float8_e4m3fn])
    write(folder, card, {name: w.to(to) for name, w in tensors.items()})


def other_weights(rng, folder):
    card, tensors = read(folder)
    name = rng.choice(sorted(tensors))
    w = tensors.pop(name)
    more = {"less": None, "other": name + "x", "path": "../" + name, "shape": name, "empty": "0"}
    what = rng.choice(list(more))
    if what == "shape":
        w = w[None]
    if what == "empty":
        tensors[name], w = w, torch.empty(0, 10**12)
    write(folder, card, tensors | ({more[what]: w} if more[what] else {}))


def layers_without_end(rng, folder):
    """Ask for more layers than memory holds, each number in range and with some weights for it."""
    card, tensors = read(folder)
    count = rng.choice([10, 100, 300, 300, 1000])
    generator = card["architecture"].get("views", {}).get("generator", card["architecture"])
    generator["flow"] |= rng.choice([{"blocks": 60_000}, {"blocks": 4000, "layers": 4000}])
    generator["flow"] |= {"hidden": 1}
    flow = next(name for name in tensors if "flow" in name).split("flow")[0] + "flow"
    write(folder, card, {**tensors, **{f"{flow}.{i}": torch.zeros(1) for i in range(count)}})


def towers_without_end(rng, folder):
    """Ask for many networks, of views that a generator of many channels would have."""
    card, tensors = read(folder)
    count = rng.choice([10, 100, 300, 300, 1000])
    views = card["architecture"]["views"]["generator"]
    views |= {"channels": 1000, "groups": [[i] for i in range(1000)], "channel_names": None}
    name = rng.choice(["resnet", "alexnet", "fourconv"])
    card["architecture"]["encoder"] = {"name": name, "size": rng.choice([64, 4096]), "dim": 4}
    write(folder, card, {**tensors, **{f"encoders.{i}": torch.zeros(1) for i in range(count)}})


def wide_nothing(rng, folder):
    """Ask for a generator of no weights and as many channels as numbers go."""
    card, _ = read(folder)
    channels = rng.choice([1025, 60_000])
    card["architecture"] |= {"channels": channels, "groups": None, "channel_names": None}
    card["architecture"]["flow"] = {"blocks": 0}
    write(folder, card, {})


# harmless


def untouched(rng, folder):
    pass


def indented(rng, folder):
    card, _ = read(folder)
    text = json.dumps(card, indent=rng.randint(0, 8), sort_keys=rng.random() < 0.5)
    (folder / CARD).write_text(text.replace("\n", rng.choice(["\n", "\r\n"])))


def more_files(rng, folder):
    (folder / "README.md").write_text("more")
    (folder / "pictures").mkdir()


def linked(rng, folder):
    """As in a download cache: links to files that lie elsewhere."""
    kept = folder.parent.parent / "blobs" / folder.name
    kept.mkdir(parents=True)
    for name in rng.choice([[CARD], [WEIGHTS], [CARD, WEIGHTS]]):
        shutil.move(folder / name, kept / name)
        (folder / name).symlink_to(kept / name)


def linked_folder(rng, folder):
    kept = folder.parent.parent / "blobs" / folder.name
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(folder, kept)
    folder.symlink_to(kept)


def padded(rng, folder):
    header, data = parts(folder / WEIGHTS)
    put(folder / WEIGHTS, json.dumps(header).encode() + b" " * rng.randint(1, 1000), data)


def more_metadata(rng, folder):
    header, data = parts(folder / WEIGHTS)
    header["__metadata__"] |= {"format": "pt", "../..": "\x1b[2J\n"}
    put(folder / WEIGHTS, header, data)


def odd_training(rng, folder):
    card, tensors = read(folder)
    card["training"] = {name: rng.choice([*ODD, *ENDLESS, "x" * 10**5]) for name in NAMES}
    write(folder, card, tensors)


FORGED = [endless, other_types, other_weights, layers_without_end]
OF_A_GENERATOR, OF_AN_ENCODER = [wide_nothing], [towers_without_end]
HARMLESS = [untouched, indented, more_files, linked, linked_folder, padded, more_metadata]
HARMLESS += [odd_training]
