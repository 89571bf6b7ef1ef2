"""When an image has become noise: a Kolmogorov-Smirnov test of z_t at each timestep."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtr

from models.ddpm import DDPM
from models.noise_schedule import Schedule
from study.diagnostics.figures import Numbers, lines
from study.diagnostics.schedule_curves import OWN, named_schedules, schedule_section
from study.diagnostics.subject import Finding, Measure, Subject

SIGNIFICANCE = 0.05
"""Below this p-value, pixels differ from standard normal noise."""

IMAGES = 3
"""How many images are tested together: more pixels, and a sharper test."""

COMPARED = ("linear", "cosine", "constant", "inverse_linear")
"""The schedules that the trial's own is compared with."""


def p_values(schedule: Schedule, images: NDArray[np.uint8], seed: int) -> Numbers:
    """The p-value of "the pixels of z_t are standard normal" at each t, by one test for all pixels.

    z_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) epsilon, with noise of its own for each t: one
    and the same noise would carry its own chance likeness to a normal through all timesteps. The
    noise is the same for every schedule.

    Args:
        schedule: The forward process.
        images: uint8 [N, C, H, W], scaled to [-1, 1] here.
        seed: Chooses the noise.

    Returns:
        [T], in 0..1.
    """
    x = (images.astype(np.float64) / 127.5 - 1).ravel()
    alpha_bars = schedule.alpha_bars.cpu().numpy()
    random = np.random.default_rng(seed)
    ranks = np.arange(len(x) + 1) / len(x)
    distances = np.empty(len(alpha_bars))
    for t, alpha_bar in enumerate(alpha_bars):
        z = np.sqrt(alpha_bar) * x + np.sqrt(1 - alpha_bar) * random.standard_normal(len(x))
        cdf = ndtr(np.sort(z))
        distances[t] = max((cdf - ranks[:-1]).max(), (ranks[1:] - cdf).max())
    # The test's distribution for many pixels: that of `scipy.stats.kstest`, exact for any number,
    # takes ten times as long.
    p: Numbers = kolmogorov(np.sqrt(len(x)) * distances)
    return p


def running_mean(p: Numbers, window: int) -> Numbers:
    """Means of `window` neighbouring values, fewer at both ends, [T]."""
    weights = np.ones(window)
    sums = np.convolve(p, weights, mode="same")
    return sums / np.convolve(np.ones(len(p)), weights, mode="same")


def first_gaussian_step(p: Numbers) -> int | None:
    """The first t with p above `SIGNIFICANCE`, or None if there is none."""
    above = np.flatnonzero(p > SIGNIFICANCE)
    return int(above[0]) if len(above) else None


def gaussianity_figure(p: Mapping[str, Numbers], images: int, bold: tuple[str, ...] = ()) -> Figure:
    """p-values against t, a curve a schedule; the legend has the first t above the threshold.

    Single p-values of noise are anything between 0 and 1, so that the curves are running means.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    panel = figure.subplots()
    curves = {}
    for name, values in p.items():
        first = first_gaussian_step(values)
        onset = "never" if first is None else f"from t = {first}"
        window = max(1, len(values) // 40)
        curves[f"{name}: {onset}"] = (range(len(values)), running_mean(values, window))
    marked = [label for label in curves if label.partition(":")[0] in bold]
    sample = f"{images} image" + ("s" if images > 1 else "")
    lines(
        panel,
        curves,
        x="timestep t",
        y="p-value (running mean)",
        title=f"Kolmogorov-Smirnov test: are the pixels of {sample} at t standard normal?",
        bold=marked,
    )
    panel.axhline(SIGNIFICANCE, color="black", linewidth=0.8, linestyle=":")
    panel.annotate(f"p = {SIGNIFICANCE}", (0, SIGNIFICANCE), (2, 3), textcoords="offset points")
    panel.set_ylim(0, 1)
    panel.legend(loc="upper left", frameon=False, fontsize=9, title=f"p > {SIGNIFICANCE}")
    return figure


def diagnose(subject: Subject) -> Finding:
    """The trial's schedule on a few of its training images, beside others."""
    assert isinstance(subject.family, DDPM)
    own = subject.family.schedule
    images = subject.some(subject.train, IMAGES, "gaussianity").images
    kind, _ = schedule_section(subject)
    name = f"{OWN} ({kind})"
    others = named_schedules(own)
    schedules = {name: own, **{key: others[key] for key in COMPARED if key in others}}
    p = {key: p_values(schedule, images, subject.seed) for key, schedule in schedules.items()}
    firsts = {key: first_gaussian_step(values) for key, values in p.items()}
    quantity = "first_gaussian_step"
    onsets = [
        Measure(quantity if key == name else f"{quantity}.{key}", first, samples=len(images))
        for key, first in firsts.items()
        if first is not None
    ]
    curve = [
        Measure("p_value", float(p[name][t]), samples=len(images), axis="t", x=t)
        for t in range(0, own.timesteps, max(1, own.timesteps // 100))
    ]
    first = firsts[name]
    return Finding(
        headline="never like noise" if first is None else f"like noise from t = {first}",
        measures=[*onsets, *curve],
        pictures={"gaussianity": gaussianity_figure(p, len(images), bold=(name,))},
    )
