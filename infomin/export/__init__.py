"""Generators for other people's pipelines: files they can open, transforms they can compose."""

from infomin.export.folder import FORMATS, export
from infomin.export.sample import Sample

__all__ = ["FORMATS", "Sample", "export"]
