"""Scores: how far generated images are from real ones, in an embedder's features."""

from __future__ import annotations

from study.scoring.compare_sets import Scores, score_images
from study.scoring.embedders import EMBEDDERS, Embedder, make_embedder
from study.scoring.frechet import MomentAccumulator, Moments, Reference, frechet_distance
from study.scoring.measures import MEASURES
from study.scoring.scorer import Measured, ScoreIdentity, Scorer, prepare_scorer

__all__ = [
    "EMBEDDERS",
    "MEASURES",
    "Embedder",
    "Measured",
    "MomentAccumulator",
    "Moments",
    "Reference",
    "ScoreIdentity",
    "Scorer",
    "Scores",
    "frechet_distance",
    "make_embedder",
    "prepare_scorer",
    "score_images",
]
