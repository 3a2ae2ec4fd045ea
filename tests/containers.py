"""One data set in every kind of file that a reader takes: folders, archives, tables, arrays."""

import io
import json

import numpy as np
from PIL import Image

from infomin import data

N = {"train": 12, "val": 6}
SIDE = 8


def pixels(split, i):
    """Image `i` of a set, `h w c`."""
    seed = i + 1000 * (split == "val")
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def label(i):
    return "ab"[i % 2]


def png(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def folder(root):
    """`root/{train,val}/{a,b}/00.png`."""
    for split, n in N.items():
        for i in range(n):
            path = root / split / label(i) / f"{i:02}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(png(pixels(split, i)))
    return {"root": str(root)}


def order(split):
    """Numbers of the images of a set in the order of a folder: class by class."""
    return sorted(range(N[split]), key=lambda i: (label(i), i))


def shards(root):
    """Two archives of each set, written by webdataset."""
    import webdataset

    root.mkdir()
    for split in N:
        with webdataset.ShardWriter(f"{root}/{split}-%03d.tar", maxcount=5, verbose=0) as writer:
            for i in order(split):
                writer.write(
                    {
                        "__key__": f"{split}/{i:03}",
                        "png": pixels(split, i),
                        "cls": label(i).encode(),
                        "json": {"label": label(i)},
                    }
                )
    return {"root": str(root)}


def csv(root):
    """A table beside the images of `folder`."""
    folder(root)
    rows = [
        f"{split}/{label(i)}/{i:02}.png,{label(i)},{split}\n" for split in N for i in order(split)
    ]
    (root / "list.csv").write_text("path,label,split\n" + "".join(rows))
    return {"root": str(root / "list.csv")}


def parquet(root):
    """Two tables of pandas in a folder of their own."""
    import pandas

    folder(root / "images")
    for split in N:
        rows = [
            {"file": f"{split}/{label(i)}/{i:02}.png", "class": label(i), "height": SIDE}
            for i in order(split)
        ]
        pandas.DataFrame(rows).to_parquet(root / f"{split}.parquet")
    return {"root": str(root), "folder": str(root / "images")}


def _arrays(split):
    images = np.stack([pixels(split, i) for i in order(split)])
    return images, [label(i) for i in order(split)]


def hdf5(root):
    """Groups of h5py, images `n h w c`."""
    import h5py

    root.mkdir()
    with h5py.File(root / "all.h5", "w") as file:
        for split in N:
            images, labels = _arrays(split)
            file[f"{split}/images"] = images
            file[f"{split}/labels"] = labels
    return {"root": str(root / "all.h5"), "layout": "hwc"}


def zarr(root):
    """Arrays of zarr, images `n c h w` in chunks, compressed; labels are numbers."""
    import zarr as library

    root.mkdir()
    group = library.open_group(str(root / "all.zarr"), mode="w")
    for split in N:
        images, labels = _arrays(split)
        channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        group.create_array(f"x_{split}", data=channels_first, chunks=(4, 3, SIDE, SIDE))
        group.create_array(f"y_{split}", data=np.array(["ab".index(x) for x in labels]))
    return {"root": str(root / "all.zarr"), "layout": "chw"}


def npy(root):
    """`{train,val}_images.npy`, `n c h w`, and labels."""
    root.mkdir()
    for split in N:
        images, labels = _arrays(split)
        np.save(root / f"{split}_images.npy", images.transpose(0, 3, 1, 2))
        np.save(root / f"{split}_labels.npy", np.array(["ab".index(x) for x in labels]))
    return {"root": str(root)}


KINDS = {
    "folder": (folder, data.image_folder),
    "shards": (shards, data.image_shards),
    "csv": (csv, data.image_table),
    "parquet": (parquet, data.image_table),
    "hdf5": (hdf5, data.array_file),
    "zarr": (zarr, data.array_file),
    "npy": (npy, data.arrays),
}


def read(kind, tmp_path, **options):
    """Write a data set below a folder, unless it is there, and read it."""
    write, reader = KINDS[kind]
    known = tmp_path / f"{kind}.json"
    if not known.exists():
        known.write_text(json.dumps(write(tmp_path / kind)))
    options = json.loads(known.read_text()) | options
    if kind != "npy":
        options.setdefault("cache", str(tmp_path / "cache"))
    return reader(size=SIDE, **options)
