"""Where a morphing model's chains start, to make more images than the morph set has.

Noise of level lambda on a morph image; means of N morph images; draws from a Gaussian mixture
fitted to the morph set. Each is scored for quality and for variety.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from models.images import to_uint8
from models.morphing import Morphing
from models.samplers import MORPH_SAMPLERS
from study.diagnostics.figures import counted, image_rows, lines
from study.diagnostics.paths import draw_start
from study.diagnostics.samples import quality
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS

LEVELS = (0.0, 0.001, 0.005, 0.01, 0.1, 0.25, 0.5)
AVERAGES = (1, 5, 10, 20)
COMPONENTS = (10, 50)
SHOWN = 10

SAMPLER = "improved"
"""Whatever scored the trial: starts are compared, and one-shot makes little of any."""

STEPS = 20
"""Where the trial's own sampler takes one step alone."""

FEWEST = 16
"""Samples from each start, at least."""

_CHUNK = 128


@dataclass(frozen=True)
class Start:
    """A start, and where it stands in its series.

    Attributes:
        series: `noise`, `average` or `mixture`.
        x: The level, the number of images, or of components.
    """

    series: str
    x: float

    @property
    def section(self) -> dict[str, Any]:
        """As in the study file's `score.sampler.start`."""
        match self.series:
            case "noise":
                return {"kind": "noise", "level": self.x}
            case "average":
                return {"kind": "average", "images": int(self.x)}
            case _:
                return {"kind": "mixture", "components": int(self.x)}


AXES: Mapping[str, str] = {"noise": "level", "average": "images", "mixture": "components"}
"""What `x` is in each series."""


def all_starts(morph_images: int) -> list[Start]:
    """The starts that are compared, where the morph set has that many images."""
    noise = [Start("noise", level) for level in LEVELS]
    averages = [Start("average", count) for count in AVERAGES]
    mixtures = [Start("mixture", count) for count in COMPONENTS if count <= morph_images]
    return [*noise, *averages, *mixtures]


def run_from(
    family: Morphing, z: Tensor, generator: Generator, *, steps: int, sampler: str = SAMPLER
) -> Tensor:
    """The samples that starts `z` [N, C, H, W] lead to, [N, C, H, W] float32."""
    ends = []
    for chunk in torch.split(z, _CHUNK):
        run = MORPH_SAMPLERS[sampler]
        last = family.schedule.timesteps - 1
        *_, end = run(family, chunk, z=chunk, t=last, steps=steps, generator=generator)
        ends.append(end.x)
    return torch.cat(ends)


def series_figure(shown: Mapping[float, tuple[Tensor, Tensor]], title: str, axis: str) -> Figure:
    """Starts above the samples that they lead to, two rows for each x.

    Args:
        shown: Starts and samples, [n, C, H, W] each, by x.
        title: Of the picture.
        axis: What x is.
    """
    rows = {}
    for x, (start, samples) in shown.items():
        rows[f"{axis} {x:g}: start"] = start
        rows[f"{axis} {x:g}: sample"] = samples
    count = len(next(iter(shown.values()))[0])
    return image_rows(rows, [""] * count, title)


def scores_figure(measures: Sequence[Measure], metric: str, why: str = "") -> Figure:
    """Quality and variety against the noise level, and against the number of images averaged.

    Args:
        measures: Of all starts.
        metric: What the scores are.
        why: Why these are not the study's, in words.
    """
    figure = Figure(figsize=(12.5, 6.5), layout="constrained")
    panels = figure.subplots(2, 2)
    labels = {"noise": "noise level λ", "average": "images averaged, N"}
    for column, (series, label) in enumerate(labels.items()):
        in_series = [m for m in measures if m.quantity.endswith(f".{series}")]

        def curve(
            name: str, in_series: list[Measure] = in_series
        ) -> tuple[list[float], list[float]]:
            chosen = [m for m in in_series if m.quantity.partition(".")[0] == name]
            return [float(m.x or 0) for m in chosen], [m.value for m in chosen]

        upper, lower = panels[:, column]
        lines(
            upper,
            {metric: curve(metric)},
            x=label,
            y=f"{metric} (less is better)",
            marker=".",
            legend=False,
        )
        variety = {name: curve(name) for name in ("recall", "coverage", "unique_share")}
        lines(lower, variety, x=label, y="variety (more is better)", marker=".", legend=False)
        lower.set_ylim(-0.05, 1.05)
        for panel in (upper, lower):
            if series == "noise":
                panel.set_xscale("symlog", linthresh=LEVELS[1], linscale=0.5)
                panel.set_xlim(-LEVELS[1] / 3, LEVELS[-1] * 1.3)
                panel.set_xticks(LEVELS, [f"{level:g}" for level in LEVELS], rotation=45)
                panel.minorticks_off()
            else:
                panel.set_xticks(AVERAGES)
            for m in measures:  # the mixture has no axis of its own
                name, _, which = m.quantity.partition(".")
                if which == "mixture" and name == metric and panel is upper:
                    few = m.x == COMPONENTS[0]
                    panel.axhline(
                        m.value,
                        color=COLOURS[1 if few else 2],
                        linestyle=":" if few else (0, (6, 4)),
                        linewidth=2.6 if few else 1.4,  # one below the other can be seen
                        label=f"Gaussian mixture of {m.x:g}: {metric} {m.value:.4g}",
                    )
        for row in (0, 1):  # beside the panels, where it covers no curve
            handles, labels = panels[row, 0].get_legend_handles_labels()
            panels[row, 1].legend(
                handles, labels, loc="upper left", bbox_to_anchor=(1, 1), frameon=False, fontsize=9
            )
    count = measures[0].samples
    set_title(
        figure,
        f"Other starts than one morph image, N = {count} samples from each by the {SAMPLER} "
        f"algorithm{f' ({why})' if why else ''}",
    )
    return figure


def diagnose(subject: Subject) -> Finding:
    """Each start with the improved algorithm, whatever scored the trial; scored as it was.

    From each of them come half as many samples as elsewhere: there are thirteen.
    """
    family = subject.family
    assert isinstance(family, Morphing)
    scorer = subject.scorer
    metric = scorer.identity.metric
    measures: list[Measure] = []
    shown: dict[str, dict[float, tuple[Tensor, Tensor]]] = {name: {} for name in AXES}
    count = max(subject.samples // 2, FEWEST)
    steps = subject.steps if subject.steps > 1 else min(STEPS, family.schedule.timesteps)
    towards = family.morph_set  # one for all: it keeps the mixture that it fits
    for start in all_starts(len(towards)):
        # The same seed throughout: levels of noise on the same images, means that share members.
        generator = subject.generator("starts")
        z = draw_start(towards, start.section, count, generator)
        images = to_uint8(run_from(family, z, generator, steps=steps))
        measures += quality(
            subject,
            images,
            scorer.features(images),
            f".{start.series}",
            axis=AXES[start.series],
            x=start.x,
            sampler=SAMPLER,
            steps=steps,
        )
        shown[start.series][start.x] = to_uint8(z[:SHOWN]), images[:SHOWN]
    titles = {
        "noise": "Noise of level λ on morph images",
        "average": "Means of N morph images",
        "mixture": "Draws from a Gaussian mixture fitted to the morph images",
    }
    short = {"noise": "λ", "average": "N", "mixture": "components"}
    pictures = {
        f"starts-{name}": series_figure(
            rows, f"{titles[name]}: {SHOWN} of N = {count} starts, above their samples", short[name]
        )
        for name, rows in shown.items()
        if rows
    }
    distances = [m for m in measures if m.quantity.partition(".")[0] == metric]
    best = min(distances, key=lambda m: m.value)
    why = subject.why_another_score(count)
    return Finding(
        headline=f"best {metric} {best.value:.4g}: {best.quantity.partition('.')[2]}, "
        f"{best.axis} {best.x:g}; all of {count} images by {SAMPLER}, {counted(steps, 'step')}"
        + (f" ({why})" if why else ""),
        measures=measures,
        pictures={**pictures, "starts": scores_figure(measures, metric, why)},
    )
