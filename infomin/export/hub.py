"""Generators on the Hugging Face Hub, or in folders of its layout."""

from pathlib import Path
from typing import Any

from infomin.core import artifact
from infomin.core.errors import InputError
from infomin.core.files import user_path
from infomin.generator import ViewGenerator, load_generator

try:
    from huggingface_hub import ModelHubMixin, snapshot_download
except ImportError:
    raise InputError("hub: huggingface_hub is not installed; pip install huggingface_hub") from None


class HubGenerator(
    ViewGenerator, ModelHubMixin, library_name="infomin", tags=["contrastive-learning"]
):
    """A view generator with `save_pretrained`, `from_pretrained` and `push_to_hub`.

    `infomin.load_generator` loads its folders, and every exported folder can be uploaded as it is.

        g = HubGenerator.from_pretrained("user/their-generator")
        g.push_to_hub("me/my-generator")

    Attributes:
        training_card: the training section of its card.
    """

    training_card: dict[str, Any]

    def _save_pretrained(self, save_directory: Path) -> None:
        training = getattr(self, "training_card", {})
        artifact.write(save_directory, "generator", self.architecture, self.state_dict(), training)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **options: Any
    ) -> "HubGenerator":
        """Load a generator from a folder or from the Hub.

        The mixin's own method would trust a stranger's `config.json`; this one reads the card.

        Arguments:
            pretrained_model_name_or_path: a folder, or a name on the Hub.
            options: of `huggingface_hub.snapshot_download`: revision, token, cache_dir, ...

        Raises:
            InputError: as in `infomin.load_generator`.
        """
        folder = user_path(pretrained_model_name_or_path)
        if not folder.is_dir():
            files = [artifact.WEIGHTS, artifact.CARD]
            name = str(pretrained_model_name_or_path)
            folder = Path(snapshot_download(name, allow_patterns=files, **options))
        loaded = load_generator(folder)
        g = cls(**loaded.architecture)
        g.load_state_dict(loaded.state_dict())
        g.training_card = artifact.read_card(folder, "generator")["training"]
        return g.eval().requires_grad_(False)
