"""Decoded images are written to their file one by one: little memory, whole or nothing."""

import shutil
import subprocess
import sys

import pytest
import torch
from PIL import Image
from sameness import same
from stored import folder_of, mapped, random

from infomin import data
from infomin.core.errors import InputWarning
from infomin.data.image_store import ImageStore, open_store

pytestmark = pytest.mark.usefixtures("single")

CPU = torch.device("cpu")
TYPES = pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])


@TYPES
def test_a_file_holds_the_images_and_small_tensors(tmp_path, dtype):
    images = random(dtype, side=5)  # 75 bytes an image, so that gaps are needed
    assert torch.equal(mapped(tmp_path / "x", images).load(CPU).tensor, images)
    tensors = open_store(tmp_path / "x")
    assert tensors["odd"].tolist() == [True, False, True] and tensors["rows"].tolist() == [0, 1, 2]


BUILD = """
import resource, sys
import infomin.data as data
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = data.image_folder(sys.argv[1], size=512, cache=sys.argv[2]).train.source
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(images), images.tensor.numel() // 2**20, (after - before) // 1024)
"""


@pytest.mark.slow
def test_decoding_takes_little_memory_however_many_images_there_are(tmp_path):
    image = Image.effect_noise((512, 512), 50).convert("RGB")
    for i in range(500):
        path = tmp_path / "set" / f"class {i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i < 2:
            image.save(path, compress_level=0)
        else:
            shutil.copy(path.with_name(f"{i % 2}.png"), path)
    command = [sys.executable, "-c", BUILD, str(tmp_path / "set"), str(tmp_path / "cache")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    count, size, grown = map(int, done.stdout.split())
    assert (count, size) == (400, 375) and grown < 200, "MB"


def test_a_full_disk_is_said_and_the_images_are_read_into_memory(tmp_path, monkeypatch):
    for i in range(6):
        path = tmp_path / "set" / str(i % 2) / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, i, i)).save(path)
    options = {"root": str(tmp_path / "set"), "size": 8, "cache": str(tmp_path / "cache")}
    whole = data.image_folder(**options | {"cache": str(tmp_path / "other")})

    def full(self, tensors):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ImageStore, "close", full)
    with pytest.warns(InputWarning, match="are not cached, .*No space left on device"):
        assert same(whole, data.image_folder(**options))
    assert not (tmp_path / "cache").exists()


WAIT = """
import sys, time, warnings
from infomin import data
from infomin.data.decode import Decoder
warnings.simplefilter("always")
print("start", flush=True)
decode = Decoder.__call__
def slow(self, path):
    time.sleep(0.1)
    print(path.name, flush=True)
    return decode(self, path)
Decoder.__call__ = slow
images = data.image_folder(sys.argv[1], 8, cache=sys.argv[2])
print(len(images.train), len(images.test))
"""


@pytest.mark.slow
def test_one_process_decodes_and_others_wait(tmp_path):
    folder_of(tmp_path, number=40)
    command = [sys.executable, "-c", WAIT, str(tmp_path / "set"), str(tmp_path / "cache")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(3)]
    ended = [(*process.communicate(), process.returncode) for process in started]
    assert [code for *_, code in ended] == [0, 0, 0], ended
    assert sorted(len(out.splitlines()) for out, *_ in ended) == [2, 2, 42], "who decoded"
    assert sum("another process decodes the images of set-" in err for _, err, _ in ended) == 2
    assert len({out.splitlines()[-1] for out, *_ in ended}) == 1
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".safetensors"]


def test_an_interrupt_leaves_nothing_half_written(tmp_path, monkeypatch):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    monkeypatch.setattr(ImageStore, "add", lambda *a: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        data.image_folder(str(tmp_path), 8, test_share=0.5, cache=str(tmp_path / "cache"))
    assert not (tmp_path / "cache").exists()
