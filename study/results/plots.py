"""Pictures and tables for a notebook: learning curves, scores against parameters, best trials."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from study.results.config_differences import shorten, varying
from study.results.image_grid import image_grid
from study.results.learning_curves import learning_curves
from study.results.pareto import Front, objective_value
from study.results.picture_titles import picture_title, set_title
from study.results.plot_style import COLOURS, GREY, scale, tidy
from study.results.ranking import Z95, RankedTrial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["best_trials", "image_grid", "learning_curves", "pareto_front", "score_against"]

_MOST_PANELS_A_ROW = 3
_LONGEST_TICK = 18
_MOST_TICK_TEXT = 30  # characters of all labels below a panel before they are turned


def score_against(ranked: Sequence[RankedTrial], study: str = "") -> Figure:
    """The objective against each parameter that varies: dots are complete, crosses pruned.

    Args:
        ranked: The ranked trials of one study.
        study: Its name, for the title.
    """
    names = [
        name
        for name in sorted({name for row in ranked for name in row.config})
        if len({row.config[name] for row in ranked if name in row.config}) > 1
    ]
    titles = shorten(names)
    columns = max(1, min(_MOST_PANELS_A_ROW, len(names)))
    rows = max(1, math.ceil(len(names) / columns))
    figure = Figure(figsize=(3.6 * columns + 0.4, 3.0 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for index, panel in enumerate(panels.flat):
        if index >= len(names):
            panel.set_visible(False)
            continue
        _scatter(panel, [row for row in ranked if names[index] in row.config], names[index])
        panel.set_xlabel(titles[names[index]])
        if index % columns == 0:
            panel.set_ylabel(_axis(_measured(ranked)[0]))
    scale(panels[0, 0], "y", pd.Series([row.value for row in ranked], dtype=np.float64))
    if len(names):
        handles, labels = panels[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncols=2, frameon=False)
    else:
        panels[0, 0].set_visible(True)
        panels[0, 0].set_axis_off()
        panels[0, 0].text(0.5, 0.5, "no parameter varies among scored trials", ha="center")
    metric, samples = _measured(ranked)
    what = "The score against each parameter that varies"
    title = picture_title(
        what, study=study, trials=f"{len(ranked)} trials", metric=metric, samples=samples
    )
    set_title(figure, title)
    return figure


def pareto_front(front: Front, study: str = "") -> Figure:
    """The trials of a study with two objectives: the front is a line, the dominated ones are grey.

    Bars at the front's scores are 95 % intervals over the choice of generated images.

    Args:
        front: What `study.results.pareto.front` found, of two objectives.
        study: The study's name, for the title.

    Raises:
        ValueError: There are not two objectives.
    """
    if len(front.objectives) != 2:
        raise ValueError(f"A picture has 2 objectives, not {len(front.objectives)}")
    # The score upwards, whichever comes first in the study file.
    across, up = sorted(front.objectives, key=lambda name: name == "score")
    figure = Figure(figsize=(5.5, 4), layout="constrained")
    panel = figure.subplots()
    members = sorted(front.members, key=lambda row: objective_value(row, across) or 0.0)
    worse = _points(front.dominated, across), _points(front.dominated, up)
    panel.scatter(*worse, s=24, color=GREY, marker="x", label="dominated")
    x, y = _points(members, across), _points(members, up)
    panel.plot(x, y, color=COLOURS[0], drawstyle="steps-post", linewidth=1, zorder=2)
    bars = [Z95 * (row.spread or 0.0) for row in members]
    panel.errorbar(x, y, bars, fmt="o", color=COLOURS[0], capsize=2, label="front, 95 %", zorder=3)
    for row, left, height in zip(members, x, y, strict=True):
        panel.annotate(
            str(row.trial), (left, height), xytext=(5, 4), textcoords="offset points", fontsize=8
        )
    metric, samples = _measured([*front.members, *front.dominated])
    panel.set_xlabel(_UNITS.get(across, across))
    panel.set_ylabel(_axis(metric) if up == "score" else _UNITS.get(up, up))
    scale(panel, "x", pd.Series(np.concatenate([x, worse[0]])))
    scale(panel, "y", pd.Series(np.concatenate([y, worse[1]])))
    tidy(panel)
    panel.legend(frameon=False, fontsize=9)
    count = len(front.members) + len(front.dominated)
    title = picture_title(
        "Pareto front", study=study, trials=f"{count} trials", metric=metric, samples=samples
    )
    set_title(figure, title)
    return figure


def best_trials(ranked: Sequence[RankedTrial]) -> pd.DataFrame:
    """Ranked trials of one study, with the parameters in which they differ.

    Args:
        ranked: The trials, best first.
    """
    names = varying([row.config for row in ranked])
    short = shorten(names)
    return pd.DataFrame(
        [
            {
                "rank": row.rank,
                "trial": row.trial,
                "score": row.value,
                "state": row.state,
                "epoch": row.epoch,
                **{short[name]: row.config.get(name) for name in names},
            }
            for row in ranked
        ],
        columns=["rank", "trial", "score", "state", "epoch", *short.values()],
    ).set_index("rank")


_UNITS = {
    "steps": "steps of the sampler",
    "parameters": "parameters of the networks",
    "train_seconds": "training [s]",
}


def _axis(metric: str) -> str:
    """The label of an axis of scores."""
    return f"{metric or 'objective'} (less is better)"


def _measured(ranked: Sequence[RankedTrial]) -> tuple[str, int | None]:
    """Metric and number of images of ranked trials, where they say."""
    measured = next((row.measured for row in ranked if row.measured is not None), None)
    return ("", None) if measured is None else (measured.metric, measured.samples)


def _points(rows: Sequence[RankedTrial], objective: str) -> NDArray[np.float64]:
    return np.array([objective_value(row, objective) for row in rows], dtype=np.float64)


def _scatter(panel: Axes, ranked: Sequence[RankedTrial], name: str) -> None:
    parameter: pd.Series[Any] = pd.Series([row.config[name] for row in ranked])
    positions, categories = _positions(parameter)
    values = np.array([row.value for row in ranked])
    for state, marker, colour in (("complete", "o", COLOURS[0]), ("pruned", "x", COLOURS[1])):
        chosen = np.array([row.state == state for row in ranked])
        panel.scatter(
            positions[chosen],
            values[chosen],
            marker=marker,
            s=28,
            color=colour,
            alpha=0.8,
            linewidths=1.2 if marker == "x" else 0,
            label=state,
        )
    if categories:
        many = sum(map(len, categories)) > _MOST_TICK_TEXT
        panel.set_xticks(
            range(len(categories)),
            categories,
            rotation=30 if many else 0,
            ha="right" if many else "center",
        )
        panel.set_xlim(-0.5, len(categories) - 0.5)
    else:
        scale(panel, "x", parameter)
    tidy(panel)


def _positions(values: pd.Series[Any]) -> tuple[NDArray[np.float64], list[str]]:
    """Where values go on the axis, and for what is not a number the categories' names, in order."""
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        return values.to_numpy(dtype=np.float64), []
    texts = values.astype(str)
    categories = sorted(set(texts))
    codes = texts.map(categories.index).to_numpy(dtype=np.float64)
    # Spread a category's dots, the same at each drawing: successive multiples of the golden ratio.
    spread = (np.arange(len(codes)) * 0.618034 % 1 - 0.5) * 0.3
    return codes + spread, [
        c if len(c) <= _LONGEST_TICK else f"{c[: _LONGEST_TICK - 1]}…" for c in categories
    ]
