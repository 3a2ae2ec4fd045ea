"""Views: images in, a tuple of views out; interchangeable behind one contract (`base.View`)."""

from infomin.views.base import View
from infomin.views.channels import ChannelViews
from infomin.views.learned import LearnedViews

__all__ = ["ChannelViews", "LearnedViews", "View"]
