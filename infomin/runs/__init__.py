"""Runs: their folder, checkpoints, progress, provenance and pictures."""
