"""How a trial learned: losses and score by epoch, and its samples at several epochs."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from study.diagnostics.figures import lines
from study.diagnostics.subject import Finding, Measure, Picture, Subject
from study.results.plots import learning_curves
from study.results.query import query
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ArtifactRow

SHOWN = 10
"""How many epochs' samples are shown side by side at most: every 5 epochs up to 50, say."""

COLUMNS = 5


def read_reports(storage: Storage, study: str) -> pd.DataFrame:
    """The rows of `reports` of a study."""
    frame: pd.DataFrame = query(
        storage, "select * from reports order by trial, epoch", [study]
    ).to_pandas()
    return frame


def read_grids(storage: Storage, study: str, trial: int) -> dict[int, Image.Image]:
    """The sample grids that a trial left in the storage, by epoch."""
    return {
        row.epoch: Image.open(io.BytesIO(storage.read(row.path)))
        for row in read_rows(storage, ArtifactRow, study, trial)
        if row.kind == "samples" and storage.exists(row.path)
    }


def spread(epochs: Sequence[int], count: int = SHOWN) -> list[int]:
    """At most `count` of the epochs, the first and the last among them, evenly between."""
    if len(epochs) <= count:
        return list(epochs)
    return [epochs[round(i * (len(epochs) - 1) / (count - 1))] for i in range(count)]


def losses_figure(reports: pd.DataFrame, metric: str) -> Figure:
    """Training and validation loss, and the score, against the epoch.

    Args:
        reports: Rows of the table `reports`, of one trial.
        metric: What the score is.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    columns = {
        "training": "loss",
        "validation (averaged weights)": "validation_loss",
        "discriminator": "discriminator_loss",
    }
    curves = {}
    for name, column in columns.items():
        known = reports.dropna(subset=[column]) if column in reports else reports[:0]
        if len(known):
            curves[name] = (known["epoch"], known[column])
    lines(left, curves, x="epoch", y="mean loss", title="Losses", marker=".")
    scored = reports.dropna(subset=["value"])
    score = {metric: (scored["epoch"], scored["value"])}
    lines(right, score, x="epoch", y=metric, title="Score (less is better)", marker=".")
    for panel in (left, right):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def epochs_figure(grids: dict[int, Image.Image], reports: pd.DataFrame, metric: str) -> Figure:
    """The sample grids of several epochs side by side, with the scores they got.

    Args:
        grids: By epoch.
        reports: Rows of the table `reports`, of the same trial.
        metric: What the score is.
    """
    chosen = spread(sorted(grids))
    values = dict(zip(reports["epoch"], reports["value"], strict=True))
    columns = min(len(chosen), COLUMNS)
    rows = math.ceil(len(chosen) / columns)
    figure = Figure(figsize=(3 * columns, 3.4 * rows + 0.3), layout="constrained")
    for panel in figure.subplots(rows, columns, squeeze=False).flat:
        panel.set_axis_off()
    for panel, epoch in zip(figure.axes, chosen, strict=False):
        panel.imshow(grids[epoch], cmap="gray")
        value = values.get(epoch)
        score = "" if value is None or pd.isna(value) else f"\n{metric} {value:.4g}"
        panel.set_title(f"epoch {epoch}{score}", fontsize=10)
    figure.suptitle("Samples at several epochs", fontsize=11)
    return figure


def diagnose(subject: Subject) -> Finding:
    """What the ledger knows of the trial's epochs, beside the study's other trials."""
    reports = read_reports(subject.storage, subject.study)
    own = reports[reports["trial"] == subject.trial]
    metric = subject.scorer.identity.metric
    grids = read_grids(subject.storage, subject.study, subject.trial)
    pictures: dict[str, Picture] = {"losses": losses_figure(own, metric)}
    if reports["trial"].nunique() > 1:
        pictures["trials"] = learning_curves(reports)
    if grids:
        pictures["epochs"] = epochs_figure(grids, own, metric)
    measures = []
    for quantity in ("loss", "validation_loss"):
        known = own.dropna(subset=[quantity])
        if len(known):
            measures.append(Measure(quantity, float(known[quantity].iloc[-1]), samples=0))
    scored = own.dropna(subset=["value"])
    if len(scored):
        best = scored.sort_values("value").iloc[0]
        measures.append(Measure("best_epoch", float(best["epoch"]), samples=0))
        headline = f"best {metric} {best['value']:.4g} at epoch {int(best['epoch'])}"
    else:
        headline = "no score yet"
    return Finding(headline, measures, pictures)
