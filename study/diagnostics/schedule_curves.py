"""Noise schedules compared: how they fall, and for several T."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from models.ddpm import DDPM
from models.morphing import Morphing
from models.noise_schedule import Schedule
from models.schedules import SCHEDULES
from study.diagnostics.figures import lines
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, DASHES, MARKERS, tidy

SEVERAL_TIMESTEPS = (100, 300, 1000, 4000)
"""The T for which the decay is drawn, beside the trial's own."""

OWN = "this trial's"

SCALED = "alike at every T: betas scaled by 1000 / T, or by t / T alone"
UNSCALED = "betas as they are: less noise below T = 1000 than at 1000"

_UNIT = 1000  # the T at which scaling by 1000 / T changes nothing
_ALIKE = 0.01  # two schedules whose alpha_bar is never further apart can hardly be told apart


def schedule_section(subject: Subject) -> tuple[str, dict[str, Any]]:
    """Kind and options of the trial's schedule; `custom` for a family from elsewhere."""
    section = dict(subject.model.get("schedule", {}))
    return section.pop("kind", "custom"), section


def own_name(kind: str, options: Mapping[str, Any]) -> str:
    """What the trial's own schedule is called in legends."""
    return f"{OWN} ({kind}{_convention(kind, options.get('scaled', False))})"


def named_schedules(own: Schedule) -> dict[str, dict[str, Schedule]]:
    """Each schedule of `SCHEDULES` by its defaults at this one's T, but for this one.

    Those whose betas may be scaled by 1000 / T are there with both conventions. Those that are not
    defined there are left out: at a large T, some leave nothing of an image.

    Returns:
        Schedules by name, under `SCALED` and under `UNSCALED`.
    """
    groups: dict[str, dict[str, Schedule]] = {SCALED: {}, UNSCALED: {}}
    both = (True, False) if own.timesteps != _UNIT else (True,)  # where both are one
    for kind in SCHEDULES:
        for scaled in both if _can_be_scaled(kind) else (None,):
            options = {} if scaled is None else {"scaled": scaled}
            group = groups[UNSCALED if scaled is False else SCALED]
            for schedule in over_timesteps(kind, options, [own.timesteps]).values():
                if not torch.equal(schedule.betas, own.betas):
                    group[kind + _convention(kind, scaled)] = schedule
    return groups


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


def hardly_differ(schedules: Mapping[str, Schedule]) -> dict[str, str]:
    """Of schedules at one T, the first one that each is drawn on top of, if there is any."""
    names = [*schedules]
    alike = {}
    for i, name in enumerate(names):
        bars = schedules[name].alpha_bars
        for other in names[:i]:
            if float((bars - schedules[other].alpha_bars).abs().max()) < _ALIKE:
                alike[name] = other
                break
    return alike


def _betas(schedule: Schedule) -> Tensor:
    return schedule.betas


def _alpha_bars(schedule: Schedule) -> Tensor:
    return schedule.alpha_bars


def _signal_scales(schedule: Schedule) -> Tensor:
    return schedule.alpha_bars.sqrt()


_QUANTITIES = {
    r"variance added, $\beta_t$": _betas,
    r"variance left of the image, $\bar\alpha_t$": _alpha_bars,
    r"scale of the image, $\sqrt{\bar\alpha_t}$": _signal_scales,
}


def schedule_figure(
    own: tuple[str, Schedule], groups: Mapping[str, Mapping[str, Schedule]]
) -> Figure:
    """beta, alpha_bar and sqrt(alpha_bar) against t, a row of panels for each group of schedules.

    Curves on top of each other stay visible: each has dashes and a marker of its own, markers stand
    at places of their own, and the trial's own is wide, below the others. The legend says which
    hardly differ.

    Args:
        own: Name and schedule of the trial's own, which is in every row.
        groups: The others by name, under what they have in common.
    """
    shown = {name: group for name, group in groups.items() if group}
    figure = Figure(figsize=(13, 3.9 * len(shown)), layout="constrained")
    rows = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    for row, (name, group) in zip(rows, shown.items(), strict=True):
        panels = row.subplots(1, len(_QUANTITIES))
        members = {own[0]: own[1], **group}
        alike = hardly_differ(members)
        for panel, (label, quantity) in zip(panels, _QUANTITIES.items(), strict=True):
            for index, (member, schedule) in enumerate(members.items()):
                values = quantity(schedule).numpy()
                panel.plot(
                    range(len(values)),
                    values,
                    label=f"{member}\n(hardly differs from {_short(alike[member])})"
                    if member in alike
                    else member,
                    **_style(index, len(members), len(values)),
                )
            panel.set(xlabel="timestep t", ylabel=label)
            tidy(panel)
        panels[0].set_yscale("log")
        handles, labels = panels[0].get_legend_handles_labels()
        row.legend(handles, labels, loc="outside right upper", frameon=False, fontsize=9)
        row.suptitle(name, fontsize=10, x=0.01, ha="left", fontweight="bold")
    return figure


def _style(index: int, curves: int, points: int) -> dict[str, Any]:
    """The first curve is wide and black, the others ever thinner on top of it."""
    apart = max(1, points // 6)
    style = {
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 5,
        "markevery": (index * apart // curves, apart),
        "zorder": 2 + index / curves,
    }
    if index == 0:
        return {**style, "color": "black", "linewidth": 4, "alpha": 0.35, "linestyle": "-"}
    return {
        **style,
        "color": COLOURS[(index - 1) % (len(COLOURS) - 1)],
        "linewidth": 1.4,
        "linestyle": DASHES[(index - 1) % len(DASHES)],
    }


def _short(name: str) -> str:
    return OWN if name.startswith(OWN) else name


def _can_be_scaled(kind: str) -> bool:
    return kind in SCHEDULES and "scaled" in inspect.signature(SCHEDULES[kind]).parameters


def _convention(kind: str, scaled: bool | None) -> str:
    """How betas are taken, where a kind of schedule leaves a choice."""
    if not _can_be_scaled(kind):
        return ""
    return ", scaled" if scaled else ", unscaled"


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
    set_title(figure, f"Decay of the image under the schedule {name}, for several T")
    return figure


def diagnose(subject: Subject) -> Finding:
    """The trial's schedule beside the others, and for several T."""
    kind, options = schedule_section(subject)
    assert isinstance(subject.family, DDPM | Morphing)
    own = subject.family.schedule.to("cpu")
    several = {own.timesteps: own}  # of a family from elsewhere no more is known
    if kind in SCHEDULES:
        several = over_timesteps(kind, options, sorted({*SEVERAL_TIMESTEPS, own.timesteps}))
    groups = named_schedules(own)
    figure = schedule_figure((own_name(kind, options), own), groups)
    set_title(figure, f"Noise schedules at this trial's T = {own.timesteps}, by their defaults")
    left = {count: float(s.alpha_bars[-1].sqrt()) for count, s in several.items()}
    return Finding(
        headline=f"sqrt(alpha_bar) ends at {float(own.alpha_bars[-1].sqrt()):.3g}",
        measures=[
            Measure("final_signal_scale", value, samples=0, axis="T", x=count)
            for count, value in left.items()
        ],
        pictures={
            "schedules": figure,
            "decay": decay_figure(several, kind + _convention(kind, options.get("scaled"))),
        },
    )
