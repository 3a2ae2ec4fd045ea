"""Real data that tests look at, where there is some: it is no part of the repository.

The folder is named by INFOMIN_TEST_DATA, or lies beside the repository as `shared/data`.
"""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
DATA = Path(os.environ.get("INFOMIN_TEST_DATA", _BESIDE))


def needs(name):
    """Skip a test where this folder of real data is not there."""
    return pytest.mark.skipif(not (DATA / name).is_dir(), reason=f"no {name} in {DATA}")
