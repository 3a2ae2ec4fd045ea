"""Commands in this process: their configurations, as Hydra composes them."""

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from infomin.cli.main import CONF


def configured(command, *words):
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(command, [*words])
