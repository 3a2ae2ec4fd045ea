"""Sources give the same bits wherever images are: in memory, in a file, read ahead or not."""

import copy
import multiprocessing
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from refusal import refused
from sameness import same
from stored import folder_of, mapped, random
from trainers import make_trainer

from infomin import data
from infomin.core.errors import InputWarning
from infomin.data import keep
from infomin.data.decode import Decoder
from infomin.data.file_source import FileSource
from infomin.data.images import ImageSet
from infomin.data.loader import Reader
from infomin.data.source import TensorSource, in_chunks, read_ahead
from infomin.views import ChannelViews

pytestmark = pytest.mark.usefixtures("single")

CPU = torch.device("cpu")
QUEUE = {"kind": "queue", "size": 24, "momentum": 0.9}
TYPES = pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.float32])


@TYPES
def test_every_source_gives_the_images_of_every_index_in_order(tmp_path, dtype):
    images, order = random(dtype), torch.randperm(30)
    wanted = [torch.tensor([3, 3, 17]), torch.tensor([0]), torch.arange(20)]
    for source in (TensorSource(images), mapped(tmp_path / "x", images)):
        twice = source.subset(order.flip(0)).subset(torch.arange(29, -1, -1))
        for one in (source.subset(order), twice):
            assert one.shape == images.shape and one.dtype == dtype
            for read, index in zip(one.read(wanted), wanted, strict=True):
                assert torch.equal(read.int(), images.int()[order[index]])
            chunks = [x.int() for x in in_chunks(one, size=7)]
            assert torch.equal(torch.cat(chunks), images.int()[order])
            assert torch.equal(one.load(CPU).tensor.int(), images.int()[order])


def test_reading_ahead_keeps_the_order_and_raises_when_the_batch_is_wanted():
    made, thread = [], threading.current_thread()

    def batches():
        for i in range(5):
            assert threading.current_thread() is not thread
            if i == 3:
                raise ValueError("batch 3")
            made.append(i)
            yield torch.tensor([i])

    ahead = read_ahead(batches(), CPU, depth=2)
    assert int(next(ahead)) == 0 and int(next(ahead)) == 1 and int(next(ahead)) == 2
    assert made == [0, 1, 2]
    with pytest.raises(ValueError, match="batch 3"):
        next(ahead)


def test_a_reader_follows_any_order_of_steps_and_any_share(tmp_path):
    images = random(torch.uint8)
    batches = data.Batches(30, 8, 0, "test")
    for source in (TensorSource(images), mapped(tmp_path / "x", images)):
        reader = Reader(source, batches, CPU)
        for step in (0, 1, 2, 7, 8, 3, 3):
            for share in (slice(0, 4), slice(4, 8)):
                assert torch.equal(reader(step, share), images[batches(step)[share]])


@pytest.mark.parametrize("method", ["cmc", "moco"])
def test_training_has_the_same_bits_from_a_file_and_after_resuming(tmp_path, method):
    images = data.scenes(size=16, train=48, test=12).train.images
    options = {"method": method} | ({"memory": QUEUE} if method == "moco" else {})

    def losses(source, state=None):
        loop, values, saved = make_trainer(ChannelViews(), source, **options), [], None
        if state:
            loop.load_state_dict(state)
        for metrics in loop:
            values.append(metrics["loss"])
            if len(values) == 3:  # the step counts after this one
                saved = copy.deepcopy(loop.state_dict()) | {"step": loop.step}
        return values, saved

    whole, state = losses(TensorSource(images))
    source = mapped(tmp_path / "x", images)
    assert losses(source)[0] == whole and len(whole) == 8
    assert losses(source, state)[0] == whole[3:]


# Decoded on demand


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["RGB", "16 bits"])
def test_images_decoded_on_demand_have_the_bits_of_the_cache(tmp_path, kind, workers):
    options = folder_of(tmp_path, kind) | ({} if kind == "RGB" else {"value_range": [0, 4095]})
    whole = data.image_folder(**options)
    files = data.image_folder(**options, keep="files", workers=workers)
    assert same(whole, files) and whole.value_range == files.value_range
    batches = data.Batches(len(files.train), 7, 0, "test")
    reader = Reader(files.train.source, batches, CPU)
    for step in (1, 2, 3):
        expected = whole.train.images.int()[batches(step)]
        assert torch.equal(reader(step, slice(2, 5)).int(), expected[2:5])
    none = torch.arange(0)
    assert files.train.subset(none).images.shape == whole.train.subset(none).images.shape


def test_training_from_files_has_the_same_bits(tmp_path):
    options = folder_of(tmp_path)
    losses = [
        [metrics["loss"] for metrics in make_trainer(ChannelViews(), dataset.train.source)]
        for dataset in (
            data.image_folder(**options),
            data.image_folder(**options, keep="files", workers=1),
        )
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 2


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1", "SIGUSR2"])
def test_workers_go_on_after_a_signal_to_all_processes(tmp_path, name):
    """As Slurm sends it: the process that trains stops when it has saved, with their batches."""
    whole = data.image_folder(**folder_of(tmp_path))
    source = data.image_folder(**folder_of(tmp_path), keep="files", workers=2).train.source
    batches = source.read(torch.arange(len(source)).split(2))
    read = [next(batches)]
    for worker in multiprocessing.active_children():
        os.kill(worker.pid, getattr(signal, name))
    read += batches
    assert torch.equal(torch.cat(read), whole.train.images)
    began = time.monotonic()
    while multiprocessing.active_children():
        assert time.monotonic() - began < 4
        time.sleep(0.01)


def test_a_bad_file_is_replaced_by_the_next_of_its_class_or_refused(tmp_path):
    folder_of(tmp_path, number=40)
    paths = sorted((tmp_path / "set").rglob("*.png"))  # 20 of each class
    labels, decode = torch.arange(40) // 20, Decoder(12)
    for row in (17, 19):
        paths[row].write_bytes(b"no picture")
    bad, good = (
        FileSource(paths, decode, decode(paths[0]), labels, skip) for skip in (False, True)
    )
    message = (
        f"{paths[17].name}: cannot be read .*; data.skip_bad=true replaces it by another image"
    )
    with refused(message):
        next(bad.read([torch.tensor([3, 17])]))
    for rows, index, other in (
        (torch.arange(40), 17, 18),
        (torch.arange(40), 19, 0),
        (torch.arange(3, 40), 16, 3),  # 19 of all; images outside of the source stay out
    ):
        with pytest.warns(InputWarning, match=rf"cannot be read .*; {paths[other].name} takes its"):
            (image,) = next(good.subset(rows).read([torch.tensor([index])]))
        assert torch.equal(image, decode(paths[other]))
    with refused("no image of its class can be read"):
        next(good.subset(torch.tensor([17, 19, 25])).read([torch.tensor([0])]))


@pytest.mark.parametrize(
    ("shape", "value", "message"),
    [
        ((12, 12, 3), 5000, r"0.npy: has values 5,000 to 5,000, outside \[0, 4095\]"),
        ((12, 12, 4), 0, "images of different kinds: .*, .*0.npy is 4 channels of uint16"),
    ],
)
def test_a_file_unlike_the_others_is_refused_when_it_comes(tmp_path, shape, value, message):
    np.save(tmp_path / "0.npy", np.full(shape, value, np.uint16))
    decode = Decoder(12, value_range=[0, 4095], layout="hwc")
    example = torch.zeros(3, 12, 12, dtype=torch.uint16)
    source = FileSource([tmp_path / "0.npy"], decode, example, torch.zeros(1).long(), skip_bad=True)
    with refused(message):
        next(source.read([torch.tensor([0])]))


# Where images are kept


@pytest.mark.parametrize(
    ("choice", "free", "memory", "line"),
    [
        ("auto", 10**6, True, ""),
        ("auto", 5000, False, "4.51 kB of images, read batch by batch (5 kB free there)"),
        ("device", 5000, True, "4.51 kB of images, in the memory of cpu (5 kB free there)"),
        ("mapped", 10**6, False, "4.51 kB of images, read batch by batch (1 MB free there)"),
    ],
)
def test_images_are_kept_where_they_fit(tmp_path, monkeypatch, choice, free, memory, line):
    monkeypatch.setattr(keep, "free_memory", lambda device: free)
    images = random(torch.uint8, 94)
    source = mapped(tmp_path / "x", images)
    sets = [ImageSet(source.subset(rows), rows % 2) for rows in torch.arange(94).split(60)]
    placed, said = keep.place(data.DataSet("x", *sets, ("a", "b"), keep=choice), CPU)
    assert placed.train.source.mapped is not memory
    assert said == (line and f"data x: {line}")
    assert torch.equal(torch.cat([placed.train.images, placed.test.images]), images)
    shared = keep.place(data.DataSet("x", *sets, ("a", "b")), CPU, processes=200)[0]
    assert shared.train.source.mapped, "every process would have a copy"


def test_memory_of_the_cpu_is_that_within_the_limit_of_a_container(tmp_path, monkeypatch):
    assert 0 < keep.free_memory(CPU) < 2**50
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    monkeypatch.setattr(keep, "_CGROUP", tmp_path)
    assert keep.free_memory(CPU) == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert keep.free_memory(CPU) > 2_000_000


def test_an_unknown_place_is_refused_before_any_file_is_read():
    with refused("data.keep: expected one of auto, device, mapped, files, got 'disk'"):
        data.image_folder(root="missing", keep="disk")
