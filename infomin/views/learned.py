"""Learned views: those of a view generator."""

from collections.abc import Mapping
from typing import Any

from infomin.core.shapes import Image, Images, Views
from infomin.core.value_range import color_name
from infomin.generator import ViewGenerator
from infomin.views.base import View, register_view
from infomin.views.color_table import ColorTable


@register_view("learned")
class LearnedViews(View):
    """The views of a generator g, from `infomin.load_generator` or still being learned.

    Arguments:
        generator: g.
        crops: see `View`.
        table: that of a frozen g, to look colours up instead of computing them; crops are rounded
            to 8 bits first.
    """

    pixelwise = True

    def __init__(
        self,
        generator: ViewGenerator,
        crops: str = "per_view",
        table: ColorTable | None = None,
    ) -> None:
        super().__init__(generator.view_channels, crops, generator.value_range)
        self.generator, self.table = generator, table

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> View:
        """Build the generator, without its weights, and its views."""
        g = ViewGenerator.from_architecture(config["generator"])
        return cls(**{**config, "generator": g})

    def to_config(self) -> dict[str, Any]:
        """Return the arguments of the class, with the architecture of the generator."""
        return {"crops": super().to_config()["crops"], "generator": self.generator.architecture}

    def split(self, x: Images) -> Views:
        """Return all views of one crop."""
        return self.generator(x) if self.table is None else self.table(x)

    def one(self, x: Images, i: int) -> Image:
        """Return view i alone: a table looks up its channels only."""
        return super().one(x, i) if self.table is None else self.table.view(x, i)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"learned-{color_name(self.generator.color, self.generator.channel_names)}"
