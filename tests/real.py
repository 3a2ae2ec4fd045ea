"""Real data for tests. It is not in the repository; without it, tests that need it are skipped.

INFOMIN_TEST_DATA names the folder. The default is `shared/data` beside the repository.
"""

import os
from pathlib import Path

import pytest

_BESIDE = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
DATA = Path(os.environ.get("INFOMIN_TEST_DATA", _BESIDE))


def needs(name):
    """Skip a test when this folder of real data is missing."""
    return pytest.mark.skipif(not (DATA / name).is_dir(), reason=f"no {name} in {DATA}")
