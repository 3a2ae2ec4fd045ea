"""Frames of small rooms, in the files of NYU Depth V2."""

import numpy as np
from PIL import Image

NONE = 255  # label of unlabelled pixels
WALL, FLOOR, BED = 0, 1, 3
COLORS = {WALL: (200, 190, 170), FLOOR: (90, 60, 30), BED: (30, 40, 160)}


def room(random, height=64, width=80):
    """A wall above a floor, a bed at a random place, a white border, an unlabelled strip."""
    labels = np.full((height, width), WALL, np.uint8)
    labels[random.integers(30, 45) :] = FLOOR
    top, left = random.integers(10, height - 30), random.integers(10, width - 40)
    labels[top : top + 18, left : left + 26] = BED
    rgb = np.array([COLORS.get(i, (0, 0, 0)) for i in range(4)], np.uint8)[labels]
    rgb = np.clip(rgb + random.integers(-9, 10, rgb.shape), 0, 255).astype(np.uint8)
    labels[:, width // 2 : width // 2 + 2] = NONE
    depth = np.linspace(250, 20, height)[:, None].repeat(width, 1).astype(np.uint8)
    for plane, value in ((rgb, 255), (labels, NONE), (depth, 255)):
        for edge in (np.s_[:5], np.s_[-5:], np.s_[:, :5], np.s_[:, -5:]):
            plane[edge] = value
    return {"rgb": rgb, "depth": depth, "label40": labels}


def write(root, train, test):
    """Write some frames of both sets, and return the folder."""
    random = np.random.default_rng(0)
    for split, count in (("train", train), ("test", test)):
        for i in range(count):
            for part, plane in room(random).items():
                suffix = "jpg" if part == "rgb" else "png"
                path = root / split / part / f"{i:04}.{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(plane).save(path, **({"quality": 95} if part == "rgb" else {}))
    return root
