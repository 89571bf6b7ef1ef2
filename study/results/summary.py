"""Studies at a glance: trials by state, the best score, times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import box
from rich.table import Table
from rich.text import Text

from study.results.ranking import rank_trials
from study.results.reader import read_study
from study.results.render import cell
from study.results.storage import Storage
from study.spec.errors import UserError


@dataclass(frozen=True)
class StudySummary:
    """A study at a glance.

    `states` counts the trials of the search by state, `final_runs` those that train one of them
    again, in any state. `best_trial` and `best_value` are the search's, None while nothing is
    ranked, or if its scores cannot be compared. Seconds are sums over all trials.
    """

    name: str
    states: Mapping[str, int]
    final_runs: int
    best_trial: int | None
    best_value: float | None
    started: datetime | None
    written: datetime | None
    train_seconds: float
    score_seconds: float


def study_summary(storage: Storage) -> list[StudySummary]:
    """Every study in a storage at a glance, the oldest first, those without trials last."""
    summaries = [summarise_study(storage, name) for name in storage.studies()]
    return sorted(summaries, key=lambda s: (s.started is None, s.started, s.name))


def summarise_study(storage: Storage, study: str) -> StudySummary:
    """A study at a glance.

    Raises:
        UserError: There is no such study.
    """
    rows = read_study(storage, study)
    trials = rows.trials
    try:
        ranked, _ = rank_trials((t for t in trials if t.state == "complete"), rows.scores)
    except UserError:  # no best trial is better than a wrong one; `study best` says why
        ranked = ()
    stamps = [trial.stamp for trial in trials if trial.stamp is not None]
    return StudySummary(
        name=study,
        states=dict(Counter(trial.state for trial in trials if trial.stage == "search")),
        final_runs=sum(trial.stage == "final" for trial in trials),
        best_trial=ranked[0].trial if ranked else None,
        best_value=ranked[0].value if ranked else None,
        started=min((trial.started for trial in trials), default=None),
        written=max((stamp.written for stamp in stamps), default=None),
        train_seconds=sum(trial.train_seconds or 0.0 for trial in trials),
        score_seconds=sum(trial.score_seconds or 0.0 for trial in trials),
    )


def summary_table(summaries: Sequence[StudySummary]) -> Table:
    """Studies at a glance, one a line; final runs have a column where there are any."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("study", overflow="fold", min_width=12)
    states = ("complete", "pruned", "failed", "running")
    finals = any(summary.final_runs for summary in summaries)
    for state in (*states, "final") if finals else states:
        table.add_column(state, justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("last written", no_wrap=True)
    for summary in summaries:
        table.add_row(
            Text(summary.name),
            *(str(summary.states.get(state, 0)) for state in states),
            *([str(summary.final_runs or "")] if finals else []),
            cell(summary.best_value),
            f"{summary.written.astimezone():%m-%d %H:%M:%S}" if summary.written else "",
        )
    return table
