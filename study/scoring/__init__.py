"""Scores: the Fréchet distance of generated images to real ones, in an embedder's features."""

from __future__ import annotations

from study.scoring.embedders import EMBEDDERS, Embedder
from study.scoring.frechet import MomentAccumulator, Moments, Reference, frechet_distance
from study.scoring.scorer import METRICS, ScoreIdentity, Scorer, prepare_scorer

__all__ = [
    "EMBEDDERS",
    "METRICS",
    "Embedder",
    "MomentAccumulator",
    "Moments",
    "Reference",
    "ScoreIdentity",
    "Scorer",
    "frechet_distance",
    "prepare_scorer",
]
