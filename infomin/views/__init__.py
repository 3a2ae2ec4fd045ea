"""Views: images in, a tuple of views out; interchangeable behind one contract (`base.View`)."""

from infomin.core.registry import import_modules
from infomin.views.base import (
    VIEWS,
    ChosenViews,
    View,
    build_view,
    describe_view,
    register_view,
)
from infomin.views.channels import ChannelViews, WholeViews
from infomin.views.combined import CombinedViews
from infomin.views.frequency import FrequencyViews
from infomin.views.learned import LearnedViews
from infomin.views.modalities import ModalityViews
from infomin.views.patches import PatchViews

import_modules(__name__, __path__)

__all__ = [
    "VIEWS",
    "ChannelViews",
    "ChosenViews",
    "CombinedViews",
    "FrequencyViews",
    "LearnedViews",
    "ModalityViews",
    "PatchViews",
    "View",
    "WholeViews",
    "build_view",
    "describe_view",
    "register_view",
]
