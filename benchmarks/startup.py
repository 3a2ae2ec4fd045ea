"""Starting: what an import costs, and how soon a second start on cached images trains.

* `import infomin` against `import torch`, each in a fresh interpreter. `import infomin` loads
  nothing by itself, so the same target also holds for the import that does something: the names of
  a generator's user. What `scripts/pretrain.py` needs is there for reference.
* A folder of 2,000 JPEGs, 64 px: from the end of the imports to the end of the first step of
  `Pretraining`, once when the images have to be decoded and again when they are in the cache.

Lightly brings torchmetrics along, which Fabric imports wherever it is installed. A plain
installation has none, so it is hidden from the interpreters that are measured.

Targets: imports at most 1.5 x torch; first step of a second start within 5 s.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rows import Row, main
from timing import Measure, interleaved

IMPORTS = {
    "torch": "import torch",
    "infomin": "import infomin",
    "user": "from infomin import ViewGenerator, load_generator",
    "pretrain": "import infomin.training.contrastive",
}
_CHILD = "--first-step"
_HIDE = "import sys, time; sys.modules['torchmetrics'] = None"


def python(*arguments: str) -> str:
    """Run a fresh interpreter, and return what it prints."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def import_seconds(statement: str) -> Measure:
    """Seconds of one import, without the interpreter's own start."""
    code = f"{_HIDE}; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return lambda: float(python("-c", code))


def start_seconds(root: Path, cache: Path) -> tuple[float, float]:
    """Start a pretraining; seconds to its first step from the imports, and from the command."""
    began = time.time()
    seconds, ended = python(__file__, _CHILD, str(root), str(cache)).split()
    return float(seconds), float(ended) - began


def first_step(root: str, cache: str) -> None:
    """Be that pretraining."""
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]
    import small

    from infomin.data import image_folder
    from infomin.views import ChannelViews

    imported = time.perf_counter()
    data = image_folder(root, cache=cache)
    learner = small.pretraining(ChannelViews(color="ydbdr"), data.train.images)
    next(iter(learner))
    print(time.perf_counter() - imported, time.time())


def make_folder(root: Path, number: int) -> None:
    """Write that many JPEGs, one folder a class."""
    from PIL import Image

    from infomin.data import photos

    images = photos(size=64, patch=64, train=number, test=8).train
    for i, (image, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
        folder = root / f"class-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:05d}.jpg")


def measure(quick: bool) -> list[Row]:
    """Measure imports, then starts."""
    rounds = 1 if quick else 5
    m = interleaved({name: import_seconds(code) for name, code in IMPORTS.items()}, rounds)
    first, second, whole = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "images"
        make_folder(root, 400 if quick else 2000)
        for i in range(rounds):
            cache = Path(folder) / f"cache-{i}"
            first.append(start_seconds(root, cache)[0])
            seconds, from_command = start_seconds(root, cache)
            second.append(seconds)
            whole.append(from_command)
    torch, user = m["torch"], "from infomin import load_generator, ..."
    return [
        Row("import infomin", "s", m["infomin"], "import torch", torch, most=1.5),
        Row(user, "s", m["user"], "import torch", torch, most=1.5),
        Row("import infomin.training.contrastive", "s", m["pretrain"], "import torch", torch),
        Row("second start to first step, imports done", "s", second, most=5),
        Row("first start to first step, imports done", "s", first),
        Row("second start to first step, from the command", "s", whole),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == [_CHILD]:
        first_step(*sys.argv[2:])
    else:
        main(measure)
