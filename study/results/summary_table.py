"""Where studies stand, as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.results.clock import SYSTEM_CLOCK, Clock
from study.results.pace import duration
from study.results.render import cell
from study.results.summary import StudySummary

_STYLES = {"running": "green", "silent": "red", "interrupted": "yellow", "ended": ""}
MOST_FAILURES = 5
"""Failures that are shown one by one."""


def summary_table(summaries: Sequence[StudySummary]) -> Table:
    """Studies at a glance, one a line; final runs have a column where there are any."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("study", overflow="fold", min_width=12)
    table.add_column("state", no_wrap=True)
    table.add_column("trials", justify="right", no_wrap=True)
    table.add_column("failed", justify="right", no_wrap=True)
    finals = any(summary.final_runs for summary in summaries)
    if finals:
        table.add_column("final", justify="right", no_wrap=True)
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("last sign", no_wrap=True)
    for summary in summaries:
        table.add_row(
            Text(summary.name),
            Text(summary.activity, _STYLES[summary.activity]),
            _of(summary.ended, summary.planned),
            str(summary.states.get("failed", 0) or ""),
            *([str(summary.final_runs or "")] if finals else []),
            _value(summary),
            f"{summary.since.astimezone():%m-%d %H:%M:%S}" if summary.since else "",
        )
    if any(summary.is_best_open for summary in summaries):
        table.caption = "* of a trial that has not ended"
        table.caption_justify = "left"
    return table


def summary_text(summary: StudySummary, clock: Clock = SYSTEM_CLOCK) -> RenderableType:
    """One study, on several lines."""
    lines = [("study", Text.assemble((summary.name, "bold"), ": ", _state(summary, clock)))]
    lines.append(("trials", Text(_trials(summary))))
    if summary.final_runs:
        lines.append(("final runs", Text(str(summary.final_runs))))
    if summary.best is not None:
        lines.append(("best so far", Text(_best(summary))))
    spent = f"{duration(summary.train_seconds)} of training, "
    left = summary.seconds_left
    rest = "" if left is None else f"; about {duration(left)} left"
    lines.append(("time", Text(f"{spent}{duration(summary.score_seconds)} of scoring{rest}")))
    for failure in summary.failures[:MOST_FAILURES]:
        lines.append(("failed", Text(f"trial {failure.trial}: {failure.reason}", "red")))
    more = len(summary.failures) - MOST_FAILURES
    if more > 0:
        lines.append(("", Text(f"and {more} more: study query \"select trial, reason from trials "
                               "where state = 'failed'\"")))  # fmt: skip
    if summary.activity in ("silent", "interrupted"):
        lines.append(("go on with", Text(f"study resume {summary.name}")))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for title, text in lines:
        table.add_row(title, text)
    return Group(table)


def _of(count: int, planned: int | None) -> str:
    return str(count) if planned is None else f"{count}/{planned}"


def _state(summary: StudySummary, clock: Clock) -> Text:
    since = "" if summary.since is None else _ago(summary.since, clock)
    text = {
        "running": "running",
        "silent": f"no sign of life since {since}; its driver may be dead",
        "interrupted": f"interrupted since {since}",
        "ended": f"ended; last written {since}",
    }[summary.activity]
    return Text(text if since else summary.activity, _STYLES[summary.activity])


def _ago(moment: datetime, clock: Clock) -> str:
    ago = duration(max(0.0, (clock.now() - moment).total_seconds()))
    return f"{moment.astimezone():%m-%d %H:%M:%S} ({ago} ago)"


def _trials(summary: StudySummary) -> str:
    names = {"running": "in hand" if summary.activity == "running" else "to go on with"}
    parts = [
        f"{summary.states[state]} {names.get(state, state)}"
        for state in ("complete", "pruned", "failed", "running")
        if summary.states.get(state)
    ]
    of = "" if summary.planned is None else f" of {summary.planned}"
    return f"{summary.ended}{of} ended: {', '.join(parts)}" if parts else f"none{of} yet"


def _best(summary: StudySummary) -> str:
    best = summary.best
    assert best is not None
    metric = "" if best.measured is None else f"{best.measured.metric} "
    note = ", which has not ended" if summary.is_best_open else ""
    return f"{metric}{cell(best.value)}, trial {best.trial} at epoch {best.epoch}{note}"


def _value(summary: StudySummary) -> str:
    if summary.best is None:
        return ""
    return cell(summary.best.value) + ("*" if summary.is_best_open else "")
