"""Noise schedules compared: how they fall, and for several T."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from matplotlib.figure import Figure
from torch import Tensor

from models.ddpm import DDPM
from models.morphing import Morphing
from models.noise_schedule import Schedule
from models.schedules import SCHEDULES
from study.diagnostics.figures import lines
from study.diagnostics.subject import Finding, Measure, Subject

SEVERAL_TIMESTEPS = (100, 300, 1000, 4000)
"""The T for which the decay is drawn, beside the trial's own."""

OWN = "this trial's"


def schedule_section(subject: Subject) -> tuple[str, dict[str, Any]]:
    """Kind and options of the trial's schedule; `custom` for a family from elsewhere."""
    section = dict(subject.model.get("schedule", {}))
    return section.pop("kind", "custom"), section


def named_schedules(own: Schedule) -> dict[str, Schedule]:
    """Each schedule of `SCHEDULES` by its defaults at this one's T, but for this one.

    Those that are not defined there are left out: at a large T, some leave nothing of an image.
    """
    made = {name: over_timesteps(name, {}, [own.timesteps]) for name in SCHEDULES}
    return {
        name: s
        for name, by_timesteps in made.items()
        for s in by_timesteps.values()
        if not torch.equal(s.betas, own.betas)
    }


def over_timesteps(
    kind: str, options: Mapping[str, Any], timesteps: Sequence[int]
) -> dict[int, Schedule]:
    """One schedule at each T where it is defined: scaled betas exceed 1 at a small T, say.

    Args:
        kind: A name in `SCHEDULES`.
        options: The schedule's own.
        timesteps: The T.
    """
    schedules = {}
    for count in timesteps:
        try:
            schedules[count] = SCHEDULES[kind](count, **options)
        except ValueError:
            continue
    return schedules


def _betas(schedule: Schedule) -> Tensor:
    return schedule.betas


def _alpha_bars(schedule: Schedule) -> Tensor:
    return schedule.alpha_bars


def _signal_scales(schedule: Schedule) -> Tensor:
    return schedule.alpha_bars.sqrt()


def schedule_figure(schedules: Mapping[str, Schedule], bold: Sequence[str] = ()) -> Figure:
    """beta, alpha_bar and sqrt(alpha_bar) against t, a curve a schedule."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    panels = figure.subplots(1, 3)
    quantities = {
        r"variance added, $\beta_t$": _betas,
        r"variance left of the image, $\bar\alpha_t$": _alpha_bars,
        r"scale of the image, $\sqrt{\bar\alpha_t}$": _signal_scales,
    }
    for panel, (label, quantity) in zip(panels, quantities.items(), strict=True):
        curves = {name: (range(s.timesteps), quantity(s).numpy()) for name, s in schedules.items()}
        scale: Literal["log", "linear"] = "log" if panel is panels[0] else "linear"
        lines(panel, curves, x="timestep t", y=label, bold=bold, scale=scale, legend=False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
    figure.suptitle("Noise schedules", fontsize=11)
    return figure


def decay_figure(schedules: Mapping[int, Schedule], name: str) -> Figure:
    """sqrt(alpha_bar) against t and against t / T, a curve for each T."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    label = r"scale of the image, $\sqrt{\bar\alpha_t}$"
    roots = {f"T = {count}": s.alpha_bars.sqrt().numpy() for count, s in schedules.items()}
    by_t = {key: (range(1, len(root) + 1), root) for key, root in roots.items()}
    by_share = {key: ([t / len(root) for t in x], root) for key, (x, root) in by_t.items()}
    lines(left, by_t, x="steps of noise", y=label)
    left.set_xscale("log")
    lines(right, by_share, x="share of all steps", y="")
    figure.suptitle(f"Decay of the image under the {name} schedule", fontsize=11)
    return figure


def diagnose(subject: Subject) -> Finding:
    """The trial's schedule beside the others, and for several T."""
    kind, options = schedule_section(subject)
    assert isinstance(subject.family, DDPM | Morphing)
    own = subject.family.schedule.to("cpu")
    several = {own.timesteps: own}  # of a family from elsewhere no more is known
    if kind in SCHEDULES:
        several = over_timesteps(kind, options, sorted({*SEVERAL_TIMESTEPS, own.timesteps}))
    compared = {f"{OWN} ({kind})": own, **named_schedules(own)}
    left = {count: float(s.alpha_bars[-1].sqrt()) for count, s in several.items()}
    return Finding(
        headline=f"sqrt(alpha_bar) ends at {float(own.alpha_bars[-1].sqrt()):.3g}",
        measures=[
            Measure("final_signal_scale", value, samples=0, axis="T", x=count)
            for count, value in left.items()
        ],
        pictures={
            "schedules": schedule_figure(compared, bold=[f"{OWN} ({kind})"]),
            "decay": decay_figure(several, kind),
        },
    )
