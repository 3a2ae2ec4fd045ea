"""Run folders: configuration, checkpoints, metrics, provenance and progress of one command."""
