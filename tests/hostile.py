"""Folders as strangers could make them: a saved generator or encoder, with something done to it.

Every mutation takes a random generator and the folder, which it changes in place.
"""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path

import torch
from refusal import Burglar
from safetensors.torch import load_file, save

CARD, WEIGHTS = "card.json", "model.safetensors"
HUGE = 5 * 2**30
NAMES = ["../../x", "/etc/passwd", "", "a\nb", "\x1b[2J", "\ud83d\ude00", "flow." * 2000, "flow"]
ENDLESS = [float("nan"), float("inf"), -float("inf")]
# what no field of a card can be, most of the time
ODD = [None, True, -1, 0, 2.5, 1e308, 10**18, "", "3", "a\nb", "\x1b[2J", "../..", [], [[]], {}]
OTHER_TYPES = [torch.float16, torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn]


def either(rng, folder):
    return folder / rng.choice([CARD, WEIGHTS])


def parts(path):
    """Take a weights file apart: its header and the bytes of its tensors."""
    whole = path.read_bytes()
    end = 8 + struct.unpack("<Q", whole[:8])[0]
    return json.loads(whole[8:end]), whole[end:]


def put(path, header, data):
    """Put a weights file together, whatever its header says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def flip(rng, path, start, end):
    """Flip one to four bits between two places, counted from the end if negative or at it."""
    whole = bytearray(path.read_bytes())
    for _ in range(rng.randint(1, 4)):
        whole[rng.choice(range(len(whole))[start : end or None])] ^= 1 << rng.randrange(8)
    path.write_bytes(whole)


def edit_tensor(rng, folder, change):
    """Change what the header says of one tensor."""
    header, data = parts(folder / WEIGHTS)
    name = rng.choice(sorted(header.keys() - {"__metadata__"}))
    data = change(header, name, data) or data
    put(folder / WEIGHTS, header, data)


# bytes


def truncated(rng, folder):
    path = either(rng, folder)
    os.truncate(path, rng.randrange(path.stat().st_size))


def lengthened(rng, folder):
    with either(rng, folder).open("ab") as stream:
        stream.write(rng.randbytes(rng.randint(1, 64)))


def flipped_header(rng, folder):
    flip(rng, folder / WEIGHTS, 0, -len(parts(folder / WEIGHTS)[1]))


def flipped_data(rng, folder):
    flip(rng, folder / WEIGHTS, -len(parts(folder / WEIGHTS)[1]), 0)


def flipped_card(rng, folder):
    flip(rng, folder / CARD, 0, 0)


# weights


def relabelled(rng, folder):
    def change(header, name, data):
        header[name]["dtype"] = rng.choice("F16 BF16 I32 U32 I64 F64 BOOL C64 F8_E4M3 X".split())

    edit_tensor(rng, folder, change)


def converted(rng, folder):
    header, _ = parts(folder / WEIGHTS)
    to = rng.choice([*OTHER_TYPES, torch.float64])
    tensors = {name: w.to(to) for name, w in load_file(folder / WEIGHTS).items()}
    (folder / WEIGHTS).write_bytes(save(tensors, metadata=header["__metadata__"]))


def reshaped(rng, folder):
    def change(header, name, data):
        shape = header[name]["shape"]
        same = [[1, *shape], [*shape[::-1], 1], [*shape, *[1] * 10**5]]
        header[name]["shape"] = rng.choice([*same, [0, 10**12], [-1], [2**63, 2], "3", None])

    edit_tensor(rng, folder, change)


def declared_huge(rng, folder):
    """Declare a large tensor, with the bytes for it or without."""

    def change(header, name, data):
        size = rng.choice([2**28, 2**32, 2**40, 2**62])
        at = len(data)
        header["more"] = {"dtype": "F32", "shape": [size // 4], "data_offsets": [at, at + size]}

    edit_tensor(rng, folder, change)
    if rng.random() < 0.5:
        os.truncate(
            folder / WEIGHTS, (folder / WEIGHTS).stat().st_size + rng.choice([2**28, 2**32])
        )


def long_header(rng, folder):
    with (folder / WEIGHTS).open("r+b") as stream:
        stream.write(struct.pack("<Q", rng.choice([0, 1, 2**20, 10**8, 2**32, 2**63, 2**64 - 1])))
    if rng.random() < 0.5:
        os.truncate(folder / WEIGHTS, rng.choice([2**21, 2**28, HUGE]))


def many_names(rng, folder):
    """Declare tensors of no size, as many as a header of up to 80 MB holds."""
    header, data = parts(folder / WEIGHTS)
    more = range(rng.choice([100, 1000, 10**4, 10**4, 10**4, 10**6]))
    nothing = b'"dtype":"F32","shape":[0],"data_offsets":[%d,%d]' % (len(data), len(data))
    text = b",".join(b'"%d":{%b}' % (i, nothing) for i in more)
    put(folder / WEIGHTS, json.dumps(header).encode()[:-1] + b"," + text + b"}", data)


def renamed(rng, folder):
    def change(header, name, data):
        header[rng.choice(NAMES)] = header.pop(name)

    edit_tensor(rng, folder, change)


def overlapping(rng, folder):
    def change(header, name, data):
        start, end = header[name]["data_offsets"]
        header["more"] = header[name] | {"data_offsets": rng.choice([[start, end], [end, start]])}

    edit_tensor(rng, folder, change)


def not_finite(rng, folder):
    def change(header, name, data):
        start = header[name]["data_offsets"][0]
        return data[:start] + struct.pack("<f", rng.choice(ENDLESS)) + data[start + 4 :]

    edit_tensor(rng, folder, change)


def other_seal(rng, folder):
    header, data = parts(folder / WEIGHTS)
    name = rng.choice(["card", "weights"])
    header["__metadata__"][name] = rng.choice(["", "0" * 64, "x" * 10**5, 1, None])
    put(folder / WEIGHTS, header, data)


# places


def unpickled(rng, folder):
    burglar = Burglar(folder.parent / "broken in")
    path = either(rng, folder)
    if rng.random() < 0.5:
        path.write_bytes(pickle.dumps(burglar))
    else:
        torch.save(burglar, path)


def huge_file(rng, folder):
    path = either(rng, folder)
    if rng.random() < 0.5:
        path.write_bytes(b"")
    os.truncate(path, HUGE)


def linked_away(rng, folder):
    path = either(rng, folder)
    path.unlink()
    path.symlink_to(
        rng.choice(["/dev/zero", "/dev/null", "/proc/kmsg", "/proc/self/environ", "/", "nowhere"])
        if rng.random() < 0.9
        else path
    )


def no_file(rng, folder):
    path = either(rng, folder)
    path.unlink()
    what = rng.choice(["nothing", "folder", "pipe", "empty", "linked pipe"])
    if what == "folder":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif "pipe" in what:
        os.mkfifo(path.with_name("pipe") if "linked" in what else path)
        if "linked" in what:
            path.symlink_to("pipe")


def no_folder(rng, folder):
    shutil.rmtree(folder)
    what = rng.choice(["file", "pipe", "loop", "/dev/zero", "/nowhere", "/dev"])
    if what == "file":
        folder.write_bytes(b"{}")
    elif what == "pipe":
        os.mkfifo(folder)
    else:
        folder.symlink_to(folder if what == "loop" else Path(what))


BYTES = [truncated, lengthened, flipped_header, flipped_data, flipped_card]
TENSORS = [relabelled, converted, reshaped, declared_huge, long_header, many_names, renamed]
TENSORS += [overlapping, not_finite, other_seal]
PLACES = [unpickled, huge_file, linked_away, no_file, no_folder]
