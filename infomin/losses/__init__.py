"""Losses: pure functions of scores, in nats."""

from infomin.losses.infonce import cosine_scores, infonce, matched, pair_scores

__all__ = ["cosine_scores", "infonce", "matched", "pair_scores"]
