"""Methods: how encoders learn from the views of a batch; one file per method."""

from infomin.core.registry import import_modules
from infomin.methods.base import METHODS, Batch, Context, LossOutput, Method

import_modules(__name__, __path__)

__all__ = ["METHODS", "Batch", "Context", "LossOutput", "Method"]
