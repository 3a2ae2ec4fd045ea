"""Commands: configuration becomes objects in `build`, once; one file per command."""
