"""Some views out of many: what is left of an encoder when other sensors are not there."""

from collections.abc import Sequence

from infomin.core.errors import InputError
from infomin.core.shapes import Images, Views
from infomin.views.base import View


class ChosenViews(View):
    """Some of the views of others, for evaluation.

    Arguments:
        views: all of them.
        which: numbers, 0 the first.

    Raises:
        InputError: for none, or a number that is there twice or that no view has.
    """

    def __init__(self, views: View, which: Sequence[int]) -> None:
        known = range(len(views.view_channels))
        chosen = list(which) if isinstance(which, Sequence) else [which]
        if (
            not isinstance(which, Sequence)
            or not chosen
            or len({*chosen}) < len(chosen)
            or not {*chosen} <= {*known}
        ):
            raise InputError(
                f"only_views: expected some of {', '.join(map(str, known))}, each once, got {which}"
            )
        channels = tuple(views.view_channels[i] for i in chosen)
        sources = [views.sources[i] for i in chosen]
        super().__init__(channels, "shared", views.value_range, views.channels, sources)
        self.views, self.which = views, chosen

    def split(self, x: Images) -> Views:
        """Return the chosen views of one crop."""
        every = self.views.split(x)
        return tuple(every[i] for i in self.which)

    def __str__(self) -> str:
        """Return a short name for runs and tables."""
        return f"{self.views}-view-{'+'.join(str(i + 1) for i in self.which)}"
