"""Entry file of the study `moving_mnist`."""

import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
runpy.run_module("studies.moving_mnist.share_factors", run_name="__main__")
