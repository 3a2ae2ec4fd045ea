"""Randomness as a function of (seed, purpose, step).

No generator has a state that must be saved: the seed and the step determine every sample. This
makes `resume=true` exact, and several processes agree on one batch.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derive(seed: int, *stream: str | int) -> int:
    """Derive a 63-bit seed for one purpose."""
    text = "/".join(str(part) for part in (seed, *stream))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *stream: str | int) -> torch.Generator:
    """Make a CPU generator for one purpose, such as `generator(seed, "crop", step)`."""
    return torch.Generator().manual_seed(derive(seed, *stream))


@contextmanager
def seeded(seed: int, *stream: str | int) -> Iterator[None]:
    """Seed torch's global generator inside the block, such as to initialise one network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, *stream))
        yield
