"""Encoders f_i, one per view or one for all: a backbone of named stages and an embedding head."""

from infomin.models.backbones import (
    BACKBONES,
    Backbone,
    FourConv,
    ResNet,
    SmallAlexNet,
    StridedConv,
)
from infomin.models.decoder import Decoder, levels
from infomin.models.encoders import HEADS, Encoder, Encoders, build_encoders, build_head

__all__ = [
    "BACKBONES",
    "HEADS",
    "Backbone",
    "Decoder",
    "Encoder",
    "Encoders",
    "FourConv",
    "ResNet",
    "SmallAlexNet",
    "StridedConv",
    "build_encoders",
    "build_head",
    "levels",
]
