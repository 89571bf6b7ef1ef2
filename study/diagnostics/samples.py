"""Fifty random images, and how good and how varied they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from study.diagnostics.figures import counted, image_rows
from study.diagnostics.subject import Finding, Measure, Subject
from study.scoring.coverage import density_coverage, precision_recall
from study.scoring.neighbours import squared_distances

SHOWN = 50
COLUMNS = 10
NEIGHBOURS = 5
"""Which neighbour bounds a ball in density and coverage; 3 in precision and recall."""


def mean_pairwise_distance(features: Tensor) -> float:
    """The mean distance between two different images, from features [N >= 2, d].

    It is 0 for a generator that makes one image alone.
    """
    total = sum(float(block.sqrt().sum()) for _, block in squared_distances(features, features))
    return total / (len(features) * (len(features) - 1))


def unique_share(images: Tensor) -> float:
    """Different images among all, in 1/N..1, from uint8 [N, C, H, W]."""
    return len(np.unique(images.flatten(1).cpu().numpy(), axis=0)) / len(images)


def quality(
    subject: Subject, images: Tensor, features: Tensor, suffix: str = "", **where: object
) -> list[Measure]:
    """The measures of how near samples are to real images, and how varied.

    Args:
        subject: Whose real images and scorer.
        images: The samples, uint8 [N, C, H, W].
        features: Their features, [N, d].
        suffix: Of the quantities' names.
        where: Fields of each measure.
    """
    scorer, real = subject.scorer, subject.real_features
    identity = scorer.identity
    spread = precision_recall(real, features)
    cover = density_coverage(real, features, NEIGHBOURS)
    of_features = {"embedder": identity.embedder_digest}
    against = {**of_features, "reference": identity.reference_digest}
    values: list[tuple[str, float, dict[str, str]]] = [
        (identity.metric, scorer.distance(features), against),
        ("precision", spread.precision, of_features),
        ("recall", spread.recall, of_features),
        ("density", cover.density, of_features),
        ("coverage", cover.coverage, of_features),
        ("pairwise_distance", mean_pairwise_distance(features), of_features),
        ("unique_share", unique_share(images), {}),
    ]
    return [
        subject.measure(name + suffix, value, samples=len(images), **which, **where)
        for name, value, which in values
    ]


def headline(measures: Sequence[Measure]) -> str:
    """The distance, for quality, and the recall, for variety."""
    distance, _, recall, *_ = measures
    return (
        f"{distance.quantity} {distance.value:.4g}, recall {recall.value:.2f} "
        f"of {distance.samples:,} images"
    )


def samples_figure(subject: Subject, distance: Measure, why: str = "") -> Figure:
    """The first of a trial's samples, ten a row, with the number of the first on the left.

    Args:
        subject: The trial.
        distance: The score of all its samples.
        why: Why it is not the study's score, in words.
    """
    shown = subject.generated[:SHOWN].cpu()
    missing = -len(shown) % COLUMNS if len(shown) > COLUMNS else 0
    white = shown.new_full((missing, *shown.shape[1:]), 255)
    full = torch.cat([shown, white])
    rows = {str(i + 1): full[i : i + COLUMNS] for i in range(0, len(full), COLUMNS)}
    sampling = f"{subject.sampler}, {counted(subject.steps, 'step')}"
    what = (
        f"{len(shown)} of N = {len(subject.generated)} random samples by {sampling}; "
        f"all of them: {distance.quantity} {distance.value:.4g}"
    )
    columns = [""] * min(COLUMNS, len(shown))
    return image_rows(rows, columns, f"{what} ({why})" if why else what)


def diagnose(subject: Subject) -> Finding:
    """The samples' distance to real images, their fidelity and their variety."""
    measures = quality(subject, subject.generated, subject.generated_features)
    why = subject.why_another_score(len(subject.generated))
    figure = samples_figure(subject, measures[0], why)
    lead = headline(measures)
    return Finding(f"{lead} ({why})" if why else lead, measures, {"samples": figure})
