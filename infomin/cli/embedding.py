"""Whether the embeddings of a pretrained encoder were trained, and at what temperature."""

from infomin.core import artifact
from infomin.core.errors import InputError
from infomin.losses import PREDICTIVE
from infomin.shipped import located


def embeds(folder: str) -> float | None:
    """Make sure that an encoder has embeddings that were trained: prediction leaves them out.

    Returns:
        The temperature that they were trained with, as far as the card tells.
    """
    told = artifact.read_card(located(folder), "encoder")["training"]
    name, temperature = told.get("trained_by"), told.get("temperature")
    if isinstance(name, str) and name in PREDICTIVE:
        raise InputError(
            f"pretrained: expected an encoder trained by contrast, {folder} was by loss={name}, "
            "which leaves embeddings as they start; judge it with scripts/linear_eval.py"
        )
    return temperature if isinstance(temperature, float) and temperature > 0 else None
