"""The variational bound in bits per dimension, and what each timestep adds to it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from models.bound import Bound, bits_per_dim
from models.ddpm import DDPM, LearnedVariance
from models.predictions import Variance
from study.diagnostics.figures import lines
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title

IMAGES = 32
TERMS = 51
"""Timesteps looked at, each standing for its neighbours; all of them by `--full`."""

FULL_IMAGES = 128
"""Images looked at by `--full`."""


def bound_figure(bounds: Mapping[str, Bound], evaluated: str) -> Figure:
    """The terms of the bound against t, a curve for each set of images.

    Args:
        bounds: By the set's name.
        evaluated: How many of the terms, in words.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    panel = figure.subplots()
    curves = {
        f"{name} images: {_mean_and_error(b.total)} bits per dimension": (
            b.timesteps.numpy(),
            b.by_t.mean(0).cpu().numpy(),
        )
        for name, b in bounds.items()
    }
    lines(
        panel,
        curves,
        x="timestep t",
        y="term of the bound [bits per dimension]",
        scale="log",
        marker=".",
    )
    last = max(int(b.timesteps[-1]) for b in bounds.values())
    panel.set_xscale("symlog", linthresh=10)  # most of it falls to the first timesteps
    panel.set_xlim(-0.5, max(last, 1) * 1.1)
    images = max(len(b.total) for b in bounds.values())
    set_title(
        figure,
        f"Variational bound by timestep, {evaluated}, of N = {images} images of each set; "
        "at t = 0, the decoder of 256 bins; ± is the standard error over the images",
    )
    return figure


def _mean_and_error(totals: Tensor) -> str:
    mean = f"{float(totals.mean()):.3g}"
    return mean if len(totals) < 2 else f"{mean} ± {float(totals.std() / len(totals) ** 0.5):.1g}"


def diagnose(subject: Subject) -> Finding:
    """The bound of held-out and of training images, from a part of the terms or from all."""
    family = subject.family
    assert isinstance(family, DDPM)
    variance: Variance = subject.options.get("variance", "fixed_small")
    if isinstance(family.variance, LearnedVariance):
        variance = "learned"
    all_terms = family.schedule.timesteps
    terms = all_terms if subject.full else min(TERMS, all_terms)
    count = FULL_IMAGES if subject.full else IMAGES
    bounds = {}
    for name, images in (("held-out", subject.held_out), ("training", subject.train)):
        x0 = subject.batch(images, count, "bound")
        generator = subject.generator("bound")
        bounds[name] = bits_per_dim(family, x0, generator, variance=variance, timesteps=terms)
    measures = []
    for suffix, bound in (("", bounds["held-out"]), (".train", bounds["training"])):
        looked_at = len(bound.total)
        for quantity, values in (
            ("bits_per_dim", bound.total),
            ("prior", bound.prior),
            ("decoder", bound.decoder),
        ):
            measures.append(Measure(quantity + suffix, float(values.mean()), samples=looked_at))
        by_t = np.asarray(bound.by_t.mean(0).cpu(), dtype=np.float64)
        measures += [
            Measure(f"term{suffix}", float(value), samples=looked_at, axis="t", x=int(t))
            for t, value in zip(bound.timesteps, by_t, strict=True)
        ]
    total = float(bounds["held-out"].total.mean())
    measures.append(Measure("terms", terms, samples=0))
    evaluated = f"all {all_terms} terms" if terms == all_terms else f"{terms} of {all_terms} terms"
    return Finding(
        headline=f"{total:.3g} bits per dimension, from {evaluated}",
        measures=measures,
        pictures={"bound": bound_figure(bounds, evaluated)},
    )
