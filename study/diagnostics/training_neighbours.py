"""Copies or novel images: samples and the training images that are nearest to them."""

from __future__ import annotations

import math

import torch
from matplotlib.figure import Figure
from torch import Tensor

from study.diagnostics.figures import image_rows
from study.diagnostics.subject import Finding, Measure, Subject
from study.scoring.neighbours import Neighbours
from study.scoring.novelty import COPY_RATIO, Closeness, authenticity, closeness, distinct

SHOWN = 8
COUNT = 5

_KEY = (
    "left: distance to the nearest picture as a share of that to the nearest other one; "
    "below: RMS pixel difference, = where it is the nearest picture again"
)


def neighbours_figure(samples: Tensor, train: Tensor, close: Closeness, title: str) -> Figure:
    """Samples, one a row, with their nearest training images from left to right.

    Args:
        samples: uint8 [n, C, H, W].
        train: The training images, uint8 [M, C, H, W].
        close: Of these samples, in pixels of 0..1.
        title: Of the picture.
    """
    pixels = math.sqrt(samples[0].numel())
    rows, captions = {}, []
    near = close.neighbours
    for i, (sample, indices) in enumerate(zip(samples, near.indices, strict=True)):
        copy = "copy " if close.ratio[i] < COPY_RATIO else ""
        rows[f"{i + 1}   {copy}{close.ratio[i]:.2f}"] = torch.cat(
            [sample[None].cpu(), train[indices.cpu()]]
        )
        texts = [f"{float(d) / pixels:.3f}" for d in near.distances[i]]
        again = ["", *(" =" if same else "" for same in close.same[i, 1:])]
        captions.append(["", *(text + mark for text, mark in zip(texts, again, strict=True))])
    columns = ["sample", "nearest", *(f"{k}." for k in range(2, near.indices.shape[1] + 1))]
    return image_rows(rows, columns, f"{title}\n{_KEY}", captions=captions)


def suspects_title(ratios: Tensor) -> str:
    """What the samples most like copies are: copies, or that there are none.

    Args:
        ratios: Of all samples, [N].
    """
    copies = int((ratios < COPY_RATIO).sum())
    shown = ratios.sort().values[:SHOWN]
    among = f"among N = {len(ratios)} samples"
    span = f"{shown[0]:.2f} to {shown[-1]:.2f}"
    if not copies:
        return (
            f"No copies {among}: none has a ratio below {COPY_RATIO:.2f}; "
            f"the {len(shown)} nearest have {span}"
        )
    noun = "copy" if copies == 1 else "copies"
    return (
        f"{copies} {noun} (ratio below {COPY_RATIO:.2f}) {among}; "
        f"the {len(shown)} nearest have {span}"
    )


def diagnose(subject: Subject) -> Finding:
    """Nearest training images by pixels, and the share of samples that are copies of one."""
    train = subject.train.tensor()
    flat = _flat(train)
    samples = subject.generated.cpu()
    close = closeness(_flat(samples), flat, min(COUNT, len(train)))
    unseen = _flat(subject.some(subject.held_out, len(samples), "neighbours").tensor())
    ratio = _copies(close)
    repeated = len(train) - len(distinct(flat)[0])
    measures = [
        subject.measure("memorised", ratio),
        subject.measure("authenticity", authenticity(_flat(samples), flat)),
        subject.measure("nearest_distance", float(close.neighbours.distances[:, 0].mean())),
        Measure("repeated_training_images", repeated, samples=0),
    ]
    # What images that nobody could have copied would get.
    unseen_close = closeness(unseen, flat, 1)
    measures += [
        subject.measure(f"{name}.held_out", value, samples=len(unseen), sampler="", steps=None)
        for name, value in (
            ("memorised", _copies(unseen_close)),
            ("authenticity", authenticity(unseen, flat)),
            ("nearest_distance", float(unseen_close.neighbours.distances[:, 0].mean())),
        )
    ]
    suspects = close.ratio.argsort()[:SHOWN]
    some = torch.arange(min(SHOWN, len(samples)))
    title = (
        f"{len(some)} random ones of N = {len(samples)} samples, "
        f"and the nearest of {len(train):,} training images"
    )
    again = f"; {repeated} of {len(train)} training images are repetitions" if repeated else ""
    return Finding(
        headline=f"{ratio:.1%} memorised, smallest ratio {float(close.ratio.min()):.2f}{again}",
        measures=measures,
        pictures={
            "neighbours": neighbours_figure(samples[some], train, _rows(close, some), title),
            "suspects": neighbours_figure(
                samples[suspects], train, _rows(close, suspects), suspects_title(close.ratio)
            ),
        },
    )


def _copies(close: Closeness) -> float:
    return float((close.ratio < COPY_RATIO).double().mean())


def _flat(images: Tensor) -> Tensor:
    """Pixels in 0..1 as features, float32 [N, C H W]."""
    return images.flatten(1).float() / 255


def _rows(close: Closeness, chosen: Tensor) -> Closeness:
    near = Neighbours(close.neighbours.distances[chosen], close.neighbours.indices[chosen])
    return Closeness(near, close.same[chosen], close.ratio[chosen])
