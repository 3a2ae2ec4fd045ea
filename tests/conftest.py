"""Mathematics is tested in float64, with one seed, and no test depends on another's draws."""

from collections.abc import Iterator

import pytest
import torch
from refusal import picture

torch.set_default_dtype(torch.float64)  # for what test modules make when they are imported


@pytest.fixture(autouse=True)
def exact() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def single() -> Iterator[None]:
    """Float32, for what is only ever run in it."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def folder(tmp_path):
    """Ten good images in two classes."""
    for i in range(10):
        picture(tmp_path / "images" / "ab"[i % 2] / f"{i}.jpg")
    return tmp_path / "images"
