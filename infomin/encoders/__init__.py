"""Encoders f_i: one tower per view, a backbone of named stages and an embedding head."""

from infomin.encoders.backbones import (
    BACKBONES,
    Backbone,
    FourConv,
    ResNet,
    SmallAlexNet,
    StridedConv,
)
from infomin.encoders.decoder import Decoder, levels
from infomin.encoders.sequence import SequenceTower, build_sequence_tower
from infomin.encoders.towers import Tower, Towers, build_towers

__all__ = [
    "BACKBONES",
    "Backbone",
    "Decoder",
    "FourConv",
    "ResNet",
    "SequenceTower",
    "SmallAlexNet",
    "StridedConv",
    "Tower",
    "Towers",
    "build_sequence_tower",
    "build_towers",
    "levels",
]
