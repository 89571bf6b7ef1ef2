"""Scores: how far generated images are from real ones, in an embedder's features."""

from __future__ import annotations

from study.scoring.image_scores import Scores, score_images
from study.scoring.scorer import Scorer, prepare_scorer

__all__ = ["Scorer", "Scores", "prepare_scorer", "score_images"]
