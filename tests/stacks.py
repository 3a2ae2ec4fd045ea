"""Images of six channels from real photographs, and files of them."""

import struct
import zlib
from functools import cache

import numpy as np
from skimage import data, filters, util

NAMES = ("R", "G", "B", "blurred", "edges", "entropy")


def six_channels(count, side=24):
    """Yield patches of two photographs, `h w 6`, uint16 of 12 bits, and their photograph.

    The channels are the colours and the results of three filters.
    """
    for label, name in enumerate(("astronaut", "coffee")):
        whole = _filtered(name)
        random = np.random.default_rng(label)
        for _ in range(count):
            top, left = (random.integers(n - side) for n in whole.shape[:2])
            yield whole[top : top + side, left : left + side], label


@cache
def _filtered(name):
    photo = getattr(data, name)()
    grey = photo.mean(-1) / 255
    filtered = [filters.gaussian(grey, 3), filters.sobel(grey), util.invert(grey)]
    stack = np.dstack([photo / 255, *filtered]).clip(0, 1)
    return (stack * 4095).round().astype(np.uint16)


def six_channel_folder(root, count=60, layout="hwc"):
    """Save `six_channels` as `.npy` files in one folder per photograph."""
    for i, (patch, label) in enumerate(six_channels(count)):
        path = root / ("astronaut", "coffee")[label] / f"{i}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, patch if layout == "hwc" else np.moveaxis(patch, 2, 0))
    return root


def write_png(path, pixels, exif=b"", key=(), late=False):
    """Save `h w c`, uint16, as a 16-bit PNG; rows hold differences from the previous pixel.

    `exif` has the orientation, before or behind the pixels; `key` is the transparent colour.
    """
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, width, -1)
    rows = np.diff(rows, axis=1, prepend=np.uint8(0)).reshape(height, -1)
    body = b"".join(b"\x01" + row.tobytes() for row in rows)
    color = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    tag = [(b"eXIf", exif.removeprefix(b"Exif\0\0"))] if exif else []
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, color, 0, 0, 0))]
    chunks += [(b"tRNS", struct.pack(f">{len(key)}H", *key))] if key else []
    chunks += [] if late else tag
    chunks += [(b"IDAT", zlib.compress(body)), *(tag if late else []), (b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
    return path


def _chunk(kind, content):
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
