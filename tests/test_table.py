"""The exact table of all 8-bit colours, and the cache that processes share."""

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from generators import float32, learned
from refusal import refused

from infomin.generator import ViewGenerator
from infomin.views import LearnedViews
from infomin.views import color_table as module
from infomin.views.color_table import ColorTable

pytestmark = pytest.mark.usefixtures("single")


def equal(views, others):
    return all(torch.equal(a, b) for a, b in zip(views, others, strict=True))


@pytest.fixture(scope="module")
def computed():
    """A generator and its channels of all colours, which take seconds."""
    with float32():
        g = learned(color="ydbdr", groups=[[1], [2, 0]])
        return g, module.all_colors(g)


@pytest.fixture
def tabled(computed, monkeypatch):
    """The generator, whose colours are not computed again."""
    g, colors = computed
    monkeypatch.setattr(module, "all_colors", lambda generator: colors)
    return g


@pytest.mark.slow
def test_it_is_bit_equal_on_8_bit_images_and_refuses_others(tabled):
    g, table = tabled, ColorTable(tabled)
    levels = torch.randint(256, (4, 3, 32, 32), dtype=torch.uint8)
    x = levels / 255
    assert equal(table(levels), g(x)) and equal(table(x), g(x))
    assert equal([table.view(levels, i) for i in (0, 1)], table(levels))
    own, crops = LearnedViews(g, table=table), torch.randint(256, (2, 4, 3, 32, 32)) / 255
    assert equal(own(*crops), LearnedViews(g)(*crops))
    near = x + torch.tensor([-9e-5, 9e-5]).repeat(16).view(1, 1, 1, 32)
    assert equal(table(near), g(x))
    for value in (-0.01, 1.01, float("nan")):
        x[0, 1, 2, 3] = value
        with refused(r"a table of colours takes values within \[0.0, 1.0\]"):
            table(x)
    with refused("images: a table of colours takes b 3 h w, got 1 4 2 2"):
        table(torch.rand(1, 4, 2, 2))


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_it_is_bit_equal_on_images_of_every_size(tabled, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    table = ColorTable(tabled)
    sizes = [(1, n) for n in range(1, 20)] + [(7, 1), (3, 5), (0, 4), (33, 31)]
    for h, w in [*sizes, (1, 2**15 - 1), (1, 2**15), (1, 2**15 + 1), (1, 2**16 + 1), (11, 9091)]:
        levels = torch.randint(256, (1, 3, h, w), dtype=torch.uint8)
        assert equal(table(levels), tabled(levels)), (h, w)
    torch.set_num_threads(before)


@pytest.mark.parametrize("options", [{"channels": 4}, {"value_range": (0, 4095)}])
def test_it_wants_three_channels_of_8_bits(options):
    with refused("table: expected a generator of 3 channels in"):
        ColorTable(ViewGenerator(**options))


@pytest.mark.slow
def test_it_is_built_once_mapped_and_shared(tabled, tmp_path, monkeypatch):
    first = ColorTable.cached(tabled, str(tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(module, "all_colors", lambda g: pytest.fail("built again"))
        second = ColorTable.cached(tabled, str(tmp_path))
    x = torch.randint(256, (1, 3, 40, 40), dtype=torch.uint8)
    assert equal(first(x), second(x))
    (path,) = (tmp_path / "tables").iterdir()
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line]
    assert len(maps) == 2, "each is the file itself, mapped"
    assert path.stat().st_size % mmap.PAGESIZE == 128  # numpy's header, then the colours
    second.colors[0] = 7  # a process that writes has a page of its own
    assert not (np.load(path, mmap_mode="r")[0] == 7).any()

    half = path.read_bytes()[: path.stat().st_size // 2]
    path.unlink()  # not cut short in place, where others have it mapped
    path.write_bytes(half)
    assert equal(ColorTable.cached(tabled, str(tmp_path))(x), first(x)), "mended"


def test_the_digest_tells_generators_apart(monkeypatch):
    g = learned()
    names = {module._digest(g), module._digest(learned(color="yiq"))}
    with torch.no_grad():
        next(g.parameters()).add_(1e-7)
    names.add(module._digest(g))
    monkeypatch.setattr(torch, "__version__", "1.0")
    names.add(module._digest(g))
    assert len(names) == 4


def test_the_longest_unused_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "all_colors", lambda g: torch.zeros(4, 3))
    monkeypatch.setattr(module, "COLORS", 4)
    monkeypatch.setattr(module, "MAX_TABLES", 2)
    generators = [learned(), learned(), learned()]
    for i, g in enumerate(generators):
        ColorTable.cached(g, str(tmp_path))
        for path in (tmp_path / "tables").iterdir():
            if module._digest(g) in path.name:
                os.utime(path, (i, i))
    left = {path.stem for path in (tmp_path / "tables").iterdir()}
    assert left == {module._digest(g) for g in generators[1:]}
