"""Encoders f_i: a tower per view or for all, a backbone of named stages and an embedding head."""

from infomin.encoders.backbones import (
    BACKBONES,
    Backbone,
    FourConv,
    ResNet,
    SmallAlexNet,
    StridedConv,
)
from infomin.encoders.decoder import Decoder, levels
from infomin.encoders.heads import HEADS, build_head
from infomin.encoders.puzzles import PuzzleTower, PuzzleTowers
from infomin.encoders.sequence import SequenceTower, build_sequence_tower
from infomin.encoders.towers import Tower, Towers, build_towers

__all__ = [
    "BACKBONES",
    "HEADS",
    "Backbone",
    "Decoder",
    "FourConv",
    "PuzzleTower",
    "PuzzleTowers",
    "ResNet",
    "SequenceTower",
    "SmallAlexNet",
    "StridedConv",
    "Tower",
    "Towers",
    "build_head",
    "build_sequence_tower",
    "build_towers",
    "levels",
]
