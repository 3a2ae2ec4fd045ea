"""Mutual information between views: bounds from scores, critics, and a held-out estimate."""

from infomin.information.bounds import clipped_donsker_varadhan, donsker_varadhan, i_nce, nwj
from infomin.information.critics import (
    BilinearCritic,
    CosineCritic,
    Critic,
    JointCritic,
    SeparableCritic,
)
from infomin.information.held_out import Estimate, estimate
from infomin.information.inputs import InputTransform, RankedNorm, TransformedCritic

__all__ = [
    "BilinearCritic",
    "CosineCritic",
    "Critic",
    "Estimate",
    "InputTransform",
    "JointCritic",
    "RankedNorm",
    "SeparableCritic",
    "TransformedCritic",
    "clipped_donsker_varadhan",
    "donsker_varadhan",
    "estimate",
    "i_nce",
    "nwj",
]
