"""Configurations of commands, as Hydra composes them."""

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from infomin.cli import CONF


def composed(command, *words):
    """Return the configuration of a command with overrides."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, [*words])
