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
from numpy.typing import NDArray
from scipy.stats import binomtest
from torch import Tensor

from study.data import ImageSet
from study.data.idx import CLASS_NAMES
from study.diagnostics.subject import Finding, Subject
from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, GREY, tidy
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

CONFIDENCE = 0.95
"""Of the bars of error."""

_MOST_LISTED = 8
_MOST_UPRIGHT_TICKS = 20
_UPRIGHT = 60  # characters of all names below the bars before they are turned


@dataclass(frozen=True, eq=False)
class Modes:
    """How many images there are of each mode.

    Attributes:
        names: Of the modes: classes or labels, or the clusters' numbers.
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
    classes = CLASS_NAMES.get(references.name, ())
    names = [classes[v] if v < len(classes) else str(v) for v in values]
    return Modes(names, generated, real, "label, by the nearest real images")


def shares(counts: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of the modes in percent, and how far their intervals reach below and above.

    Wilson's intervals of 95 % for each share by itself: they do not vanish at 0 images.

    Args:
        counts: Images of each mode, int64 [modes].

    Returns:
        [modes] and [2, modes].
    """
    total = int(counts.sum())
    share = counts.double().numpy() / total
    intervals = [
        binomtest(int(count), total).proportion_ci(CONFIDENCE, method="wilson") for count in counts
    ]
    below = share - np.array([interval.low for interval in intervals])
    above = np.array([interval.high for interval in intervals]) - share
    return share * 100, np.maximum(np.stack([below, above]), 0) * 100


def collapse_figure(modes: Modes) -> Figure:
    """Shares of the modes among generated images beside those among real ones, with 95 % intervals.

    A star marks a mode whose share differs from the real one's at the 0.05 level.
    """
    places = np.arange(len(modes.names))
    figure = Figure(figsize=(max(8, 0.26 * len(places)), 4.2), layout="constrained")
    panel = figure.subplots()
    tops = np.zeros(len(places))
    for shift, name, counts, colour in (
        (-0.2, "real", modes.real, GREY),
        (0.2, "generated", modes.generated, COLOURS[0]),
    ):
        share, reach = shares(counts)
        panel.bar(
            places + shift,
            share,
            width=0.4,
            label=f"{name}, N = {int(counts.sum()):,}",
            color=colour,
            hatch="//" if name == "real" else None,
            edgecolor="white",
            yerr=reach,
            error_kw={"elinewidth": 1, "capsize": 2, "ecolor": "black"},
        )
        tops = np.maximum(tops, share + reach[1])
    differ = different_shares(modes.generated, modes.real).numpy()
    if differ.any():
        panel.scatter(
            places[differ],
            tops[differ] + 0.04 * tops.max(),
            marker="*",
            color="black",
            label="differs from the real share (level 0.05)",
        )
    panel.set(xlabel=modes.by, ylabel="share of images [%]")
    turned = sum(map(len, modes.names)) > _UPRIGHT
    panel.set_xticks(
        places,
        modes.names,
        fontsize=9 if len(places) <= _MOST_UPRIGHT_TICKS else 8,
        rotation=45 if turned and max(map(len, modes.names)) > 3 else 0,
    )
    panel.set_xlim(-0.7, len(places) - 0.3)
    panel.set_ylim(top=tops.max() * 1.12)
    tidy(panel)
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    made, nats = modes_found(modes.generated), divergence(modes.generated, modes.real)
    missing = [name for name, count in zip(modes.names, modes.generated, strict=True) if not count]
    listed = ", ".join(missing) if len(missing) <= _MOST_LISTED else f"{len(missing)}"
    without = f" (missing: {listed})" if missing else ""
    set_title(
        figure,
        f"{made} of {len(places)} modes found{without} in N = {int(modes.generated.sum())} "
        f"samples; divergence from the real shares {nats:.3g} nats; bars: 95 % intervals",
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
