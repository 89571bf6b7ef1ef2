"""Cross-validation: losses and scores over the trials that differ in what was held out alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.diagnostics.subject import Finding, Measure, Subject
from study.diagnostics.training_curves import read_reports
from study.results.picture_titles import set_title
from study.results.plot_style import COLOURS, tidy
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import TrialRow

KINDS: Mapping[str, str] = {"k_fold": "fold", "leave_one_out": "image"}
"""The splits that can be gone through, and the key that says which part is held out."""

MOST_NAMED = 10
"""With more folds than these, a legend would hide them."""


@dataclass(frozen=True)
class Folds:
    """Trials of one configuration, each with another part held out.

    Attributes:
        axis: `fold` or `image`.
        trials: The trial's number by the number of its fold or image, rising.
        parts: How many parts there are; None where that is the number of images.
    """

    axis: str
    trials: Mapping[int, int]
    parts: int | None


def find_folds(storage: Storage, study: str, trial: int) -> Folds | None:
    """The complete trials that differ from one in the fold alone; itself, if it is complete.

    Of several with one fold, the one begun last counts. There are none if the trial's split cannot
    be gone through, or no other part was held out.
    """
    rows = {row.trial: row for row in read_rows(storage, TrialRow, study)}
    own = rows[trial].spec if trial in rows else None
    if own is None or own["data"]["split"]["kind"] not in KINDS:
        return None
    split = own["data"]["split"]
    axis = KINDS[split["kind"]]
    alike = _but_for(own, axis)
    trials = {
        row.spec["data"]["split"][axis]: row.trial
        for row in rows.values()
        if row.state == "complete" and _but_for(row.spec, axis) == alike
    }
    if len(trials) < 2:
        return None
    return Folds(axis, dict(sorted(trials.items())), split.get("folds"))


def _but_for(spec: Mapping[str, Any], axis: str) -> dict[str, Any]:
    """What a trial is, but for the part that it holds out."""
    sections = {name: spec[name] for name in ("data", "model", "train", "score")}
    split = {key: value for key, value in spec["data"]["split"].items() if key != axis}
    return {**sections, "data": {**spec["data"], "split": split}}


def by_epoch(folds: Folds, reports: pd.DataFrame, column: str) -> dict[int, pd.Series[Any]]:
    """A column of `reports` by epoch, for each fold that has any of it."""
    curves = {}
    for number, trial in folds.trials.items():
        known = reports[reports["trial"] == trial].dropna(subset=[column])
        if len(known):
            curves[number] = known.set_index("epoch")[column].sort_index()
    return curves


def mean_by_epoch(curves: Mapping[int, pd.Series[Any]]) -> pd.Series[Any]:
    """The mean at each epoch that all folds have: a mean of fewer would jump where one ends."""
    return pd.DataFrame(dict(curves)).dropna().mean(axis=1)


def folds_figure(folds: Folds, shown: Mapping[str, Mapping[int, pd.Series[Any]]]) -> Figure:
    """Each quantity by epoch, a thin curve a fold and a thick one for their mean.

    Args:
        folds: What was gone through.
        shown: By the quantity's name, the values by epoch of each fold.
    """
    figure = Figure(figsize=(5.5 * len(shown), 4), layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for panel, (name, curves) in zip(panels, shown.items(), strict=True):
        for index, (number, curve) in enumerate(curves.items()):
            panel.plot(
                curve.index,
                curve,
                label=f"{folds.axis} {number}" if len(curves) <= MOST_NAMED else None,
                color=COLOURS[index % len(COLOURS)],
                linewidth=1,
                marker=".",
                markersize=4,
            )
        mean = mean_by_epoch(curves)
        panel.plot(
            mean.index,
            mean,
            label="mean",
            color="black",
            linewidth=2.8,
            marker=".",
            markersize=8,
        )
        middle, deviation = spread_of(list(curves.values()))
        panel.set(xlabel="epoch", ylabel=name)
        panel.set_title(f"at the end {middle:.4g} ± {deviation:.2g}", fontsize=10)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        tidy(panel)
        panel.legend(frameon=False, fontsize=8)
    set_title(figure, f"Cross-validation: {_in_words(folds)}; ±: deviation over them")
    return figure


def spread_of(curves: Sequence[pd.Series[Any]]) -> tuple[float, float]:
    """Mean and standard deviation, with one degree of freedom less, of what curves end with."""
    ends = np.array([float(curve.iloc[-1]) for curve in curves])
    return float(ends.mean()), float(ends.std(ddof=1))


def applies(subject: Subject) -> bool:
    """Whether the study went through other folds with the trial's configuration."""
    return find_folds(subject.storage, subject.study, subject.trial) is not None


def diagnose(subject: Subject) -> Finding:
    """Validation loss and score of each fold, their mean and their deviation."""
    folds = find_folds(subject.storage, subject.study, subject.trial)
    assert folds is not None
    reports = read_reports(subject.storage, subject.study)
    metric = subject.scorer.identity.metric
    columns = {"validation_loss": "validation_loss", metric: "value"}
    shown: dict[str, Mapping[int, pd.Series[Any]]] = {}
    measures, quantities = [], []
    for quantity, column in columns.items():
        curves = by_epoch(folds, reports, column)
        if len(curves) < 2:  # a GAN has no validation loss
            continue
        name = quantity.replace("_", " ") if column == quantity else quantity
        shown[name] = curves
        mean, deviation = spread_of(list(curves.values()))
        quantities.append(f"{name} {mean:.4g} ± {deviation:.2g}")
        # `samples` are images, and here none was made.
        measures += [
            Measure(f"{quantity}.mean", mean, samples=0),
            Measure(f"{quantity}.deviation", deviation, samples=0),
            *(
                Measure(quantity, float(curve.iloc[-1]), samples=0, axis=folds.axis, x=number)
                for number, curve in curves.items()
            ),
        ]
    measures.append(Measure("folds", len(folds.trials), samples=0))
    pictures = {"folds": folds_figure(folds, shown)} if shown else {}
    return Finding(f"{', '.join(quantities)} over {_in_words(folds)}", measures, pictures)


def _in_words(folds: Folds) -> str:
    count = len(folds.trials)
    if folds.axis == "image":
        return f"{count} images left out in turn"
    return f"{count} folds" if count == folds.parts else f"{count} of {folds.parts} folds"
