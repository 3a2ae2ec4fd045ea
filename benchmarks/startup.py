"""Start-up: time of an import, and time to the first step with cached images.

* `import infomin` against `import torch`, each in a new interpreter. `import infomin` loads no
  module, so the target also holds for the names that a user of generators imports. The imports of
  `scripts/pretrain.py` are a reference.
* A folder of 2,000 JPEGs, 64 px: from the end of the imports to the end of the first step of
  `Trainer`. The first start decodes the images, the second start reads them from the cache.

Lightly installs torchmetrics, which Fabric imports where it is installed. A plain installation has
none, so that the measured interpreters hide it.

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
    "pretrain": "import infomin.training.trainer",
}
_CHILD = "--first-step"
_HIDE = "import sys, time; sys.modules['torchmetrics'] = None"


def python(*arguments: str) -> str:
    """Run a new interpreter, and return its output."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


def import_seconds(statement: str) -> Measure:
    """Return a contender: seconds of an import, without the start of the interpreter."""
    code = f"{_HIDE}; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
    return lambda: float(python("-c", code))


def start_seconds(root: Path, cache: Path) -> tuple[float, float]:
    """Start a pretraining; return seconds to its first step after imports and after the command."""
    began = time.time()
    seconds, ended = python(__file__, _CHILD, str(root), str(cache)).split()
    return float(seconds), float(ended) - began


def first_step(root: str, cache: str) -> None:
    """Run the first step of a pretraining, and print its times."""
    sys.modules["torchmetrics"] = None  # type: ignore[assignment]
    import small

    from infomin.data.folder import image_folder
    from infomin.views import ChannelViews

    imported = time.perf_counter()
    data = image_folder(root, cache=cache)
    learner = small.pretraining(ChannelViews(color="ydbdr"), data.train.images)
    next(iter(learner))
    print(time.perf_counter() - imported, time.time())


def make_folder(root: Path, number: int) -> None:
    """Write a number of JPEGs, one folder per class."""
    from PIL import Image

    from infomin.data.photos import photos

    images = photos(size=64, patch=64, train=number, test=8).train
    for i, (image, label) in enumerate(zip(images.images, images.labels.tolist(), strict=True)):
        folder = root / f"class-{label}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{i:05d}.jpg")


def measure(quick: bool) -> list[Row]:
    """Measure imports, then starts."""
    rounds = 1 if quick else 5
    m = interleaved({name: import_seconds(code) for name, code in IMPORTS.items()}, rounds)
    first, second, from_command = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "images"
        make_folder(root, 400 if quick else 2000)
        for i in range(rounds):
            cache = Path(folder) / f"cache-{i}"
            first.append(start_seconds(root, cache)[0])
            after_imports, after_command = start_seconds(root, cache)
            second.append(after_imports)
            from_command.append(after_command)
    torch, user = m["torch"], "from infomin import load_generator, ..."
    return [
        Row("import infomin", "s", m["infomin"], "import torch", torch, most=1.5),
        Row(user, "s", m["user"], "import torch", torch, most=1.5),
        Row("import infomin.training.trainer", "s", m["pretrain"], "import torch", torch),
        Row("second start to first step, imports done", "s", second, most=5),
        Row("first start to first step, imports done", "s", first),
        Row("second start to first step, from the command", "s", from_command),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == [_CHILD]:
        first_step(*sys.argv[2:])
    else:
        main(measure)
