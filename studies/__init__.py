"""Experiments of papers that are not part of the library."""
