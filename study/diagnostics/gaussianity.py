"""When an image has become noise: a Kolmogorov-Smirnov test of z_t at each timestep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.special import kolmogorov, ndtr

from models.ddpm import DDPM
from models.noise_schedule import Schedule
from models.seeding import derive_seed
from study.diagnostics.figures import Numbers
from study.diagnostics.schedule_curves import SCALED, named_schedules, own_name, schedule_section
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, DASHES, tidy
from study.results.ranking import Z95

SIGNIFICANCE = 0.05
"""Below this p-value, pixels differ from standard normal noise."""

TESTS = 8
"""Tests of the same kind, each of other images and other noise: one alone is a matter of chance."""

PIXELS = 8192
"""Of one test, about: so many images are tested together, whatever their size. The time that all
tests take is proportional to it."""

POINTS = 100
"""Timesteps that are tested, at most."""

WINDOW = 5
"""Neighbouring timesteps that are averaged in the picture."""

COMPARED = ("linear", "cosine", "constant", "inverse_linear")
"""The schedules that the trial's own is compared with; their betas scaled, if there is a choice."""


@dataclass(frozen=True, eq=False)
class NoiseTests:
    """Repeated tests of one schedule.

    Attributes:
        t: The timesteps tested, rising, [n].
        p: The p-values of each test, [tests, n].
    """

    t: NDArray[np.int64]
    p: Numbers

    @property
    def firsts(self) -> list[int | None]:
        """For each test the first of the timesteps with p above `SIGNIFICANCE`, None if none is."""
        indices = [first_gaussian_step(p) for p in self.p]
        return [None if index is None else int(self.t[index]) for index in indices]

    @property
    def onset(self) -> int | None:
        """The median of these, the earlier of two; None where half of the tests or more have none.

        (A test that never takes the pixels for noise counts as later than all.)
        """
        known = sorted(first for first in self.firsts if first is not None)
        middle = (len(self.p) - 1) // 2
        return known[middle] if middle < len(known) else None


def p_values(
    schedule: Schedule,
    images: NDArray[np.uint8],
    seed: int,
    timesteps: Sequence[int] | NDArray[np.int64] | None = None,
) -> Numbers:
    """The p-value of "the pixels of z_t are standard normal" at each t, by one test for all pixels.

    z_t = sqrt(alpha_bar_t) x + sqrt(1 - alpha_bar_t) epsilon, with noise of its own for each t: one
    and the same noise would carry its own chance likeness to a normal through all timesteps. The
    noise is the same for every schedule.

    Args:
        schedule: The forward process.
        images: uint8 [N, C, H, W], scaled to [-1, 1] here.
        seed: Chooses the noise.
        timesteps: Which t; all of 0 .. T-1 by default.

    Returns:
        One for each t, in 0..1.
    """
    x = (images.astype(np.float64) / 127.5 - 1).ravel()
    alpha_bars = schedule.alpha_bars.cpu().numpy()
    alpha_bars = alpha_bars if timesteps is None else alpha_bars[np.asarray(timesteps)]
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


def repeated_tests(
    schedule: Schedule, batches: Sequence[NDArray[np.uint8]], seed: int
) -> NoiseTests:
    """One test for each batch of images, each with noise of its own, at `POINTS` timesteps."""
    last = schedule.timesteps - 1
    t = np.unique(np.linspace(0, last, min(POINTS, last + 1)).round().astype(np.int64))
    p = [
        p_values(schedule, images, derive_seed(seed, "gaussianity", i), t)
        for i, images in enumerate(batches)
    ]
    return NoiseTests(t, np.stack(p))


def batches_of(images: NDArray[np.uint8], tests: int = TESTS) -> list[NDArray[np.uint8]]:
    """Images [N, C, H, W] for each test: apart from each other where there are enough of them."""
    if len(images) >= tests:
        return np.array_split(images, tests)
    return [images] * tests


def images_needed(shape: Sequence[int]) -> int:
    """How many images of a shape [C, H, W] all tests take."""
    return TESTS * max(1, PIXELS // int(np.prod(shape)))


def running_mean(p: Numbers, window: int) -> Numbers:
    """Means of `window` neighbouring values, fewer at both ends, [T]."""
    weights = np.ones(window)
    sums = np.convolve(p, weights, mode="same")
    return sums / np.convolve(np.ones(len(p)), weights, mode="same")


def first_gaussian_step(p: Numbers) -> int | None:
    """The first index with p above `SIGNIFICANCE`, or None if there is none."""
    above = np.flatnonzero(p > SIGNIFICANCE)
    return int(above[0]) if len(above) else None


def onset_text(tests: NoiseTests) -> str:
    """From which t on the pixels are like noise, with the range over the tests."""
    onset = tests.onset
    if onset is None:
        return "never"
    known = [first for first in tests.firsts if first is not None]
    latest = "never" if len(known) < len(tests.p) else max(known)
    return f"from t = {onset} ({min(known)} .. {latest})"


def gaussianity_figure(tests: Mapping[str, NoiseTests], images: int) -> Figure:
    """Mean p-values against t with their bands, a curve a schedule, the trial's own first and wide.

    Of noise, single p-values are anything between 0 and 1 and their mean is 1/2: the curves are
    means over the tests and over `WINDOW` neighbouring timesteps.

    Args:
        tests: By the schedule's name.
        images: How many images each test is of.
    """
    figure = Figure(figsize=(9, 4.6), layout="constrained")
    panel = figure.subplots()
    repeats = max(len(each.p) for each in tests.values())
    for index, (name, each) in enumerate(tests.items()):
        window = min(WINDOW, len(each.t))
        smooth = np.stack([running_mean(p, window) for p in each.p])
        mean = smooth.mean(0)
        error = Z95 * smooth.std(0, ddof=1) / np.sqrt(len(smooth))
        colour = COLOURS[index % len(COLOURS)]
        low, high = np.clip(mean - error, 0, 1), np.clip(mean + error, 0, 1)
        panel.fill_between(each.t, low, high, color=colour, alpha=0.15, linewidth=0)
        panel.plot(
            each.t,
            mean,
            color=colour,
            linestyle=DASHES[index % len(DASHES)],
            linewidth=2.6 if index == 0 else 1.4,
            label=f"{name}: {onset_text(each)}",
        )
    panel.set(xlabel="timestep t", ylabel=f"p-value, mean of {repeats} tests", ylim=(-0.02, 1))
    tidy(panel)
    panel.axhline(SIGNIFICANCE, color="black", linewidth=0.8, linestyle=":")
    panel.annotate(f"p = {SIGNIFICANCE}", (0, SIGNIFICANCE), (2, 3), textcoords="offset points")
    panel.axhline(0.5, color="black", linewidth=0.8, linestyle=":")
    panel.annotate("mean of pure noise", (0, 0.5), (2, 3), textcoords="offset points")
    panel.legend(
        loc="upper left",
        frameon=False,
        fontsize=9,
        title=f"first t with p > {SIGNIFICANCE}: median (range of the tests)",
        title_fontsize=9,
    )
    noun = "image" if images == 1 else "images"
    set_title(
        figure,
        f"Kolmogorov-Smirnov test: are the pixels at t standard normal? {repeats} tests of "
        f"N = {images} other {noun} each; bands: 95 % of the mean",
    )
    return figure


def diagnose(subject: Subject) -> Finding:
    """The trial's schedule on some of its training images, beside others."""
    assert isinstance(subject.family, DDPM)
    own = subject.family.schedule
    needed = images_needed(subject.family.image_shape)
    chosen = subject.some(subject.train, needed, "gaussianity").images
    batches = batches_of(chosen)
    name = own_name(*schedule_section(subject))
    others = named_schedules(own)[SCALED]
    schedules = {
        name: own,
        **{key: each for key, each in others.items() if key.partition(",")[0] in COMPARED},
    }
    tests = {
        key: repeated_tests(schedule, batches, subject.seed) for key, schedule in schedules.items()
    }
    used = len(chosen)
    quantity = "first_gaussian_step"
    onsets = [
        Measure(
            quantity if key == name else f"{quantity}.{key.replace(', ', '_')}",
            each.onset,
            samples=used,
        )
        for key, each in tests.items()
        if each.onset is not None
    ]
    curve = [
        Measure("p_value", float(p), samples=used, axis="t", x=int(t))
        for t, p in zip(tests[name].t, tests[name].p.mean(0), strict=True)
    ]
    onset = tests[name].onset
    return Finding(
        headline="never like noise" if onset is None else f"like noise {onset_text(tests[name])}",
        measures=[*onsets, *curve],
        pictures={"gaussianity": gaussianity_figure(tests, len(batches[0]))},
    )
