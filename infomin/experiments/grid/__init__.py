"""Grids of experiments: their cells, what runs them, and what they recorded.

Each cell runs the very commands that a person would type, in processes of their own, and keeps its
runs in a folder of its own.
"""
