"""Mode collapse: which kinds of image are made, how evenly, and how much of the real ones' variety.

A family that makes few kinds of image well has a high precision, a low recall, few modes and a
large divergence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from study.data import ImageSet
from study.diagnostics.figures import tidy
from study.diagnostics.subject import Finding, Subject
from study.results.plots import COLOURS
from study.scoring.coverage import precision_recall
from study.scoring.modes import (
    Clusters,
    classify,
    count_modes,
    different_shares,
    divergence,
    modes_found,
)

MOST_REFERENCES = 4000
"""Training images that define the modes, at most."""

_MOST_TICKS = 20


@dataclass(frozen=True, eq=False)
class Modes:
    """How many images there are of each mode.

    Attributes:
        names: Of the modes: the labels, or the clusters' numbers.
        generated: Counts, int64 [modes].
        real: Counts, int64 [modes], each at least 1.
        by: What a mode is, in words.
    """

    names: Sequence[str]
    generated: Tensor
    real: Tensor
    by: str


def find_modes(features: Tensor, references: ImageSet, known: Tensor, seed: int) -> Modes:
    """The modes of samples: labels by their nearest neighbours, or else clusters.

    Args:
        features: Of the samples, [N, d].
        references: Real images.
        known: Their features, [M, d].
        seed: Of the clusters.
    """
    if references.labels is None:
        clusters = Clusters.of(known, seed)
        count = len(clusters.centres)
        real = count_modes(clusters.members(known), count)
        generated = count_modes(clusters.members(features), count)
        return Modes([str(i) for i in range(count)], generated, real, "cluster of real images")
    values, members = np.unique(references.labels, return_inverse=True)
    labels = torch.from_numpy(members)
    real = count_modes(labels, len(values))
    votes = min(5, len(references))
    generated = count_modes(classify(features, known, labels, votes), len(values))
    return Modes([str(v) for v in values], generated, real, "label by the nearest real images")


def collapse_figure(modes: Modes) -> Figure:
    """Shares of the modes among generated images beside those among real ones."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(modes.names))
    for shift, name, counts, colour in (
        (-0.2, "real", modes.real, "#B8B8B8"),
        (0.2, "generated", modes.generated, COLOURS[0]),
    ):
        shares = (counts.double() / counts.sum() * 100).numpy()
        panel.bar(places + shift, shares, width=0.4, label=name, color=colour)
    panel.set(xlabel=modes.by, ylabel="share of images [%]")
    if len(places) <= _MOST_TICKS:
        panel.set_xticks(places, modes.names)
    tidy(panel)
    panel.legend(frameon=False, fontsize=9)
    modes_made = modes_found(modes.generated)
    nats = divergence(modes.generated, modes.real)
    panel.set_title(
        f"{modes_made} of {len(places)} modes found, divergence from real shares {nats:.3g} nats",
        fontsize=11,
    )
    return figure


def diagnose(subject: Subject) -> Finding:
    """Modes found, their divergence, and precision beside recall."""
    features = subject.generated_features
    references = subject.some(subject.train, MOST_REFERENCES, "collapse")
    known = subject.scorer.features(references.tensor())
    modes = find_modes(features, references, known, subject.seed)
    nats = divergence(modes.generated, modes.real)
    modes_made = modes_found(modes.generated)
    spread = precision_recall(subject.real_features, features)
    differ = different_shares(modes.generated, modes.real).double().mean()
    embedder = subject.scorer.identity.embedder_digest
    numbers = {
        "modes_found": modes_made,
        "modes": len(modes.names),
        "divergence": nats,
        "different_bins": float(differ),
        "precision": spread.precision,
        "recall": spread.recall,
    }
    return Finding(
        headline=f"{modes_made} of {len(modes.names)} modes, {nats:.3g} nats, "
        f"recall {spread.recall:.2f}",
        measures=[subject.measure(q, v, embedder=embedder) for q, v in numbers.items()],
        pictures={"collapse": collapse_figure(modes)},
    )
