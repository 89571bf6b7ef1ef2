"""Copies or novel images: samples and the training images that are nearest to them."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from study.diagnostics.figures import image_rows
from study.diagnostics.subject import Finding, Subject
from study.scoring.neighbours import Neighbours, nearest
from study.scoring.novelty import COPY_RATIO, authenticity, memorised

SHOWN = 8
COUNT = 5


def distance_ratio(neighbours: Neighbours) -> Tensor:
    """How far the nearest is, as a share of how far the second nearest is, [N] in 0..1.

    0 for an exact copy, also where the second nearest is one too.
    """
    first, second = neighbours.distances[:, 0], neighbours.distances[:, 1]
    return torch.where(first == 0, 0.0, first / second)


def neighbours_figure(samples: Tensor, train: Tensor, neighbours: Neighbours, title: str) -> Figure:
    """Samples, one a row, with their nearest training images from left to right.

    Args:
        samples: uint8 [n, C, H, W].
        train: The training images, uint8 [M, C, H, W].
        neighbours: In pixels of 0..1, of these samples.
        title: Of the picture.
    """
    pixels = math.sqrt(samples[0].numel())
    ratios = distance_ratio(neighbours)
    rows, captions = {}, []
    for i, (sample, indices) in enumerate(zip(samples, neighbours.indices, strict=True)):
        rows[f"{i + 1}   {ratios[i]:.2f}"] = torch.cat([sample[None].cpu(), train[indices.cpu()]])
        captions.append(["", *(f"{float(d) / pixels:.3f}" for d in neighbours.distances[i])])
    columns = ["sample", "nearest", *(f"{k}." for k in range(2, neighbours.indices.shape[1] + 1))]
    return image_rows(rows, columns, title, captions=captions)


def diagnose(subject: Subject) -> Finding:
    """Nearest training images by pixels, and the share of samples that are copies of one."""
    train = subject.train.tensor()
    flat = _flat(train)
    samples = subject.generated.cpu()
    count = min(COUNT, len(train))
    neighbours = nearest(_flat(samples), flat, count)
    unseen = _flat(subject.some(subject.held_out, len(samples), "neighbours").tensor())
    ratio = float(memorised(neighbours).double().mean())
    measures = [
        subject.measure("memorised", ratio),
        subject.measure("authenticity", authenticity(_flat(samples), flat)),
        subject.measure("nearest_distance", float(neighbours.distances[:, 0].mean())),
    ]
    # What images that nobody could have copied would get.
    unseen_neighbours = nearest(unseen, flat, 2)
    measures += [
        subject.measure(f"{name}.held_out", value, samples=len(unseen), sampler="", steps=None)
        for name, value in (
            ("memorised", float(memorised(unseen_neighbours).double().mean())),
            ("authenticity", authenticity(unseen, flat)),
            ("nearest_distance", float(unseen_neighbours.distances[:, 0].mean())),
        )
    ]
    suspects = distance_ratio(neighbours).argsort()[:SHOWN]
    explained = "ratio of the two smallest distances on the left, RMS pixel difference below"
    return Finding(
        headline=f"{ratio:.1%} memorised",
        measures=measures,
        pictures={
            "neighbours": neighbours_figure(
                samples[:SHOWN],
                train,
                _rows(neighbours, torch.arange(min(SHOWN, len(samples)))),
                f"Random samples and their nearest training images\n{explained}",
            ),
            "suspects": neighbours_figure(
                samples[suspects],
                train,
                _rows(neighbours, suspects),
                f"The samples most like copies (below {COPY_RATIO:.2f})\n{explained}",
            ),
        },
    )


def _flat(images: Tensor) -> Tensor:
    """Pixels in 0..1 as features, float32 [N, C H W]."""
    return images.flatten(1).float() / 255


def _rows(neighbours: Neighbours, chosen: Tensor) -> Neighbours:
    return Neighbours(neighbours.distances[chosen], neighbours.indices[chosen])
