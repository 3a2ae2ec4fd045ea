"""Generators on the Hugging Face Hub, or in folders of its layout, through the Hub's own mixin."""

from pathlib import Path
from typing import Any

from infomin import artifact
from infomin.errors import InputError
from infomin.generator import ViewGenerator, load_generator

try:
    from huggingface_hub import ModelHubMixin, snapshot_download
except ImportError:
    raise InputError("hub: huggingface_hub is not installed; pip install 'infomin[hub]'") from None


class HubGenerator(
    ViewGenerator, ModelHubMixin, library_name="infomin", tags=["contrastive-learning"]
):
    """A view generator with `save_pretrained`, `from_pretrained` and `push_to_hub`.

    The folder is the one that `infomin.load_generator` takes, and every exported folder can be
    uploaded as it is.

        g = HubGenerator.from_pretrained("somebody/their-generator")
        g.push_to_hub("me/my-generator")
    """

    training_card: dict[str, Any]
    """What the card tells of the training."""

    def _save_pretrained(self, save_directory: Path) -> None:
        training = getattr(self, "training_card", {})
        artifact.fill(save_directory, "generator", self.architecture, self.state_dict(), training)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "HubGenerator":
        """Load from a folder, or from the Hub; the card alone tells how to build it."""
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                    allow_patterns=[artifact.WEIGHTS, artifact.CARD],
                )
            )
        loaded = load_generator(folder)
        g = cls(**loaded.architecture)
        g.load_state_dict(loaded.state_dict())
        g.training_card = artifact.read_card(folder, "generator")["training"]
        return g.eval().requires_grad_(False)
