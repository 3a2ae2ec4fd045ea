"""Grids of runs: their cells, the scheduler that runs them, and the records they leave.

Every cell runs the commands that a person would type, in separate processes, and keeps its runs in
a folder of its own.
"""
