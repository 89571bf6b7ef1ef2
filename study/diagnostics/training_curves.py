"""How a trial learned: losses and score by epoch, and its samples at several epochs."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image

from study.diagnostics.figures import lines
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.learning_curves import learning_curves
from study.results.objective import scores_by_epoch
from study.results.picture_titles import set_title
from study.results.query import query
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ArtifactRow, ScoreRow, TrialRow

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


def read_measured(storage: Storage, study: str, trial: int) -> dict[int, tuple[str, int]]:
    """Metric and number of images of a trial's score at each epoch that has one."""
    row = next(iter(read_rows(storage, TrialRow, study, trial)), None)
    if row is None:
        return {}
    scores = scores_by_epoch(row, read_rows(storage, ScoreRow, study, trial))
    return {epoch: (score.metric, score.samples) for epoch, score in scores.items()}


def trials_figure(subject: Subject, reports: pd.DataFrame) -> Figure:
    """The learning curves of the study's search, the best trials and the subject's in colour."""
    trials: pd.DataFrame = query(
        subject.storage, "select trial, stage, state, value, spec from trials", [subject.study]
    ).to_pandas()
    searched = trials.loc[trials["stage"] == "search", "trial"]
    shown = reports[reports["trial"].isin(searched)] if len(trials) else reports
    ended = trials[trials["trial"].isin(searched)].dropna(subset=["value"])
    # Pruned trials after the others: their last score may be of an early rung.
    ranked = ended.assign(pruned=ended["state"] != "complete").sort_values(["pruned", "value"])
    best = [int(trial) for trial in ranked["trial"]]
    own = [subject.trial] if subject.trial in {*shown["trial"]} else []
    leaders = [*own, *(trial for trial in best if trial not in own)]
    return learning_curves(shown, leaders=leaders or None, trials=trials if len(trials) else None)


def losses_figure(
    reports: pd.DataFrame, metric: str, measured: Mapping[int, tuple[str, int]] | None = None
) -> Figure:
    """Training and validation loss, of a GAN its players' losses, and the score, by epoch.

    Scores of early rungs, of fewer images or another metric, are curves of their own.

    Args:
        reports: Rows of the table `reports`, of one trial.
        metric: What the score is.
        measured: Metric and number of images of the score by epoch, where they are known.
    """
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    adversarial = _adversarial(reports)
    columns = {
        "generator" if adversarial else "training": "loss",
        "validation (averaged weights)": "validation_loss",
        "discriminator": "discriminator_loss",
    }
    curves = {}
    for name, column in columns.items():
        known = reports.dropna(subset=[column]) if column in reports else reports[:0]
        if len(known):
            curves[name] = (known["epoch"], known[column])
    whose = "Losses of generator and discriminator" if adversarial else "Losses"
    title = whose if len(curves) > 1 else f"Loss: {''.join(curves)}"
    lines(left, curves, x="epoch", y="mean loss", title=title, marker=".")
    scored = reports.dropna(subset=["value"])
    kinds = [_measure_text(epoch, metric, measured or {}) for epoch in scored["epoch"]]
    score = {
        str(kind): (rows["epoch"], rows["value"])
        for kind, rows in scored.assign(kind=kinds).groupby("kind", sort=False)
    }
    several = len(score) > 1
    label = "score (less is better)" if several else f"{''.join(score) or metric} (less is better)"
    title = "Scores of different metric or N do not compare" if several else "Score"
    lines(right, score, x="epoch", y=label, title=title, marker=".")
    for panel in (left, right):
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    set_title(figure, "Losses and score by epoch")
    return figure


def _adversarial(reports: pd.DataFrame) -> bool:
    column = "discriminator_loss"
    return column in reports and bool(reports[column].notna().any())


def _measure_text(epoch: int, metric: str, measured: Mapping[int, tuple[str, int]]) -> str:
    if epoch not in measured:
        return metric
    name, samples = measured[epoch]
    return f"{name}, N = {samples:,}"


def epochs_figure(
    grids: dict[int, Image.Image],
    reports: pd.DataFrame,
    metric: str,
    measured: Mapping[int, tuple[str, int]] | None = None,
) -> Figure:
    """The sample grids of several epochs side by side, with the scores they got.

    Args:
        grids: By epoch.
        reports: Rows of the table `reports`, of the same trial.
        metric: What the score is.
        measured: As in `losses_figure`.
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
        name, _, samples = _measure_text(epoch, metric, measured or {}).partition(", ")
        of = f" ({samples})" if samples else ""
        score = "" if value is None or pd.isna(value) else f"\n{name} {value:.4g}{of}"
        panel.set_title(f"epoch {epoch}{score}", fontsize=10)
    set_title(figure, "Samples at several epochs, from the same seeds")
    return figure


def diagnose(subject: Subject) -> Finding:
    """What the ledger knows of the trial's epochs, beside the study's other trials."""
    reports = read_reports(subject.storage, subject.study)
    own = reports[reports["trial"] == subject.trial]
    metric = subject.scorer.identity.metric
    grids = read_grids(subject.storage, subject.study, subject.trial)
    measured = read_measured(subject.storage, subject.study, subject.trial)
    pictures: dict[str, Figure] = {"losses": losses_figure(own, metric, measured)}
    if reports["trial"].nunique() > 1:
        pictures["trials"] = trials_figure(subject, reports)
    if grids:
        pictures["epochs"] = epochs_figure(grids, own, metric, measured)
    measures = []
    for quantity in ("loss", "validation_loss"):
        known = own.dropna(subset=[quantity])
        if len(known):
            measures.append(Measure(quantity, float(known[quantity].iloc[-1]), samples=0))
    scored = own.dropna(subset=["value"])
    if len(scored):
        kinds = [measured.get(epoch) for epoch in scored["epoch"]]
        alike = [kind == kinds[-1] for kind in kinds]  # early rungs are measured otherwise
        best = scored[alike].sort_values("value").iloc[0]
        measures.append(Measure("best_epoch", float(best["epoch"]), samples=0))
        headline = f"best {metric} {best['value']:.4g} at epoch {int(best['epoch'])}"
    else:
        headline = "no score yet"
    return Finding(headline, measures, pictures)
