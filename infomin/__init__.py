"""Learn which views to contrast.

`infomin` learns an invertible, pixel-wise map g from images to a new colour space whose channels
are split into views (Tian et al., "What Makes for Good Views for Contrastive Learning?", 2020),
pretrains encoders on those views and measures what that gained:

    import infomin

    train = infomin.from_torch(dataset)
    g = infomin.learn_views(train, mode="semi", labels=0.1)
    encoder = infomin.pretrain(train, views=g, method="cmc", epochs=20)
    features = encoder(images)
    v1, v2 = g(images)
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from infomin.cli.verbs import estimate_information, evaluate, learn_views, pretrain
    from infomin.core.errors import InputError
    from infomin.data import from_torch
    from infomin.generator import ViewGenerator, load_generator
    from infomin.losses import info_nce
    from infomin.models.pretrained_encoder import PretrainedEncoder, load_encoder
    from infomin.shipped import list_generators

__all__ = [
    "InputError",
    "PretrainedEncoder",
    "ViewGenerator",
    "estimate_information",
    "evaluate",
    "from_torch",
    "info_nce",
    "learn_views",
    "list_generators",
    "load_encoder",
    "load_generator",
    "pretrain",
]

_HOMES = {
    "InputError": "core.errors",
    "PretrainedEncoder": "models.pretrained_encoder",
    "ViewGenerator": "generator",
    "estimate_information": "cli.verbs",
    "evaluate": "cli.verbs",
    "from_torch": "data",
    "info_nce": "losses",
    "learn_views": "cli.verbs",
    "list_generators": "shipped",
    "load_encoder": "models.pretrained_encoder",
    "load_generator": "generator",
    "pretrain": "cli.verbs",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import infomin` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'infomin' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"infomin.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted([*__all__, "__version__"])
