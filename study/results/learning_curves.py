"""The learning curves of a study's trials: losses and objective by epoch."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from study.results.loss_comparison import incomparable_losses
from study.results.objective import scored_in_full
from study.results.picture_titles import picture_title, set_title
from study.results.plot_style import COLOURS, DASHES, GREY, scale, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNKNOWN = "losses compare only between trials of one loss, schedule and T"
_PANEL_CHARACTERS = 58  # above a panel of 5 inches


def learning_curves(
    reports: pd.DataFrame,
    top: int = 5,
    leaders: Sequence[int] | None = None,
    trials: pd.DataFrame | None = None,
) -> Figure:
    """Losses and objective of each trial over its epochs; the best trials are in colour.

    The validation loss has a panel if any trial has one. Where the trials' losses are not losses of
    one thing (another schedule, T, loss or family), the panels of losses say so.

    Args:
        reports: Rows of the table `reports`, of one study.
        top: Number of trials in colour.
        leaders: Trials to colour, best first; by default by their last objective. To be given if
            early objectives are of fewer images or another metric.
        trials: Rows of the table `trials`, of the same study. Without them, the title has no metric
            and N, and whether losses compare is not known.
    """
    scored = reports.dropna(subset=["value"]).sort_values("epoch")
    last = scored.groupby("trial")["value"].last()
    best_first = last.sort_values().index
    leaders = [int(trial) for trial in (best_first if leaders is None else leaders)[:top]]
    specs = _specs(trials, reports["trial"].unique())
    metric, samples = _scored(specs)
    adversarial = "discriminator_loss" in reports and reports["discriminator_loss"].notna().any()
    whose = " (a GAN's: its generator's)" if adversarial else ""
    early = "\nearly rungs: fewer images, or another metric" if _has_rungs(specs) else ""
    objective = f"{metric or 'objective'} (less is better){early}"
    shown = [("loss", f"training loss{whose}"), ("value", objective)]
    if reports["validation_loss"].notna().any():
        shown.insert(1, ("validation_loss", "validation loss"))
    figure = Figure(figsize=(5 * len(shown), 4), layout="constrained")
    panels = figure.subplots(1, len(shown))
    for panel, (column, label) in zip(panels, shown, strict=True):
        _curves(panel, reports.dropna(subset=[column]), column, label, leaders)
    count = reports["trial"].nunique()
    why = incomparable_losses(specs) if specs else _UNKNOWN
    for panel, (column, _) in zip(panels, shown, strict=True):
        if column != "value" and count > 1:
            panel.set_title(textwrap.fill(why, _PANEL_CHARACTERS), fontsize=9)
    names = [f"trial {trial}" for trial in leaders]
    entries = dict(zip(*reversed(panels[0].get_legend_handles_labels()), strict=True))
    handles = {name: entries[name] for name in names if name in entries}
    others = count - len(handles)
    if others:
        handles[f"{others} other trial" + ("s" if others > 1 else "")] = Line2D(
            [], [], color=GREY, linewidth=1
        )
    if handles:  # beside the panels, where it covers no curve
        figure.legend(
            [*handles.values()], [*handles], loc="outside right upper", frameon=False, fontsize=9
        )
    title = picture_title(
        "Learning curves",
        study=_study(reports),
        trials=f"{count} trials",
        metric=metric,
        samples=samples,
    )
    set_title(figure, title)
    return figure


def _curves(
    panel: Axes, reports: pd.DataFrame, column: str, label: str, leaders: list[int]
) -> None:
    for trial in reports["trial"].unique():
        rows = reports[reports["trial"] == trial].sort_values("epoch")
        place = leaders.index(trial) if trial in leaders else None
        panel.plot(
            rows["epoch"],
            rows[column],
            color=GREY if place is None else COLOURS[place % len(COLOURS)],
            linewidth=1 if place is None else 2,
            linestyle="-" if place is None else DASHES[place % len(DASHES)],
            marker="." if len(rows) == 1 else None,
            zorder=2 if place is None else 3,
            label=None if place is None else f"trial {trial}",
        )
    panel.set_xlabel("epoch")
    panel.set_ylabel(label)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    scale(panel, "y", reports[column])
    tidy(panel)


def _specs(trials: pd.DataFrame | None, numbers: Iterable[int]) -> list[dict[str, Any]]:
    """The filled-in configurations of some trials, from rows of the table `trials`."""
    if trials is None:
        return []
    rows = trials[trials["trial"].isin([*numbers])].sort_values("trial")
    return [json.loads(spec) for spec in rows["spec"]]


def _scored(specs: Sequence[dict[str, Any]]) -> tuple[str, int | None]:
    """Metric and number of images of the scores that trials end with, where it is one for all."""
    full = {scored_in_full(spec) for spec in specs} - {None}
    return next(iter(full)) or ("", None) if len(full) == 1 else ("", None)


def _has_rungs(specs: Sequence[dict[str, Any]]) -> bool:
    """Whether early scores may be measured otherwise than the last one."""
    return any(isinstance(spec.get("score", {}).get("every"), list) for spec in specs)


def _study(reports: pd.DataFrame) -> str:
    names = {str(name) for name in reports["study"]} if "study" in reports else set()
    return names.pop() if len(names) == 1 else ""
