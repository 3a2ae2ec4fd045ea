"""Experiments: grids of runs, tables and figures of their results, and the page of runs."""
