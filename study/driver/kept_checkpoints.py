"""Of the checkpoints that an earlier run left: where trials go on, and what nobody needs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from study.driver.files import checkpoint_epoch
from study.results.tables import ReportRow, TrialRow
from study.spec.score import Score


def ranked_values(row: TrialRow, reports: Iterable[ReportRow], score: Score) -> dict[int, float]:
    """A trial's scores by epoch, those that may be compared with each other.

    Args:
        row: The trial's last row.
        reports: Its reports.
        score: What the study measures when.
    """
    return {
        report.epoch: report.value
        for report in reports
        if report.value is not None
        and math.isfinite(report.value)
        and (score.is_full(report.epoch) or (row.state == "complete" and report.epoch == row.epoch))
    }


def last_checkpoint(row: TrialRow, files: Sequence[str]) -> str | None:
    """The checkpoint that a trial's row names, or the one before it if that is gone.

    Args:
        row: The trial's last row.
        files: Names of its checkpoints, by rising epoch.
    """
    if row.checkpoint is None or row.checkpoint in files:
        return row.checkpoint
    known = checkpoint_epoch(row.checkpoint)
    return next((file for file in reversed(files) if checkpoint_epoch(file) <= known), None)


def known_checkpoints(
    row: TrialRow, files: Sequence[str], values: Mapping[int, float]
) -> tuple[tuple[str, float | None], ...]:
    """The checkpoints up to the last one, by rising epoch, each with its score if it has one.

    Args:
        row: The trial's last row.
        files: Names of its checkpoints, by rising epoch.
        values: Its scores by epoch (`ranked_values`).
    """
    last = last_checkpoint(row, files)
    if last is None:
        return ()
    epoch = checkpoint_epoch(last)
    # Of one epoch there may be two, from its end and from the middle of the next one.
    known = [file for file in files if checkpoint_epoch(file) <= epoch and file != last]
    return tuple((file, values.get(checkpoint_epoch(file))) for file in (*known, last))


def unneeded_checkpoints(
    row: TrialRow, files: Sequence[str], values: Mapping[int, float]
) -> list[str]:
    """Those that nobody needs: newer than what the ledger knows, or neither last nor best.

    Args:
        row: The trial's last row. One that is to go on keeps what `Retention` will look at.
        files: Names of its checkpoints, by rising epoch.
        values: Its scores by epoch (`ranked_values`).
    """
    if row.state != "running" and row.checkpoint is None:
        return []  # nothing says which one it ended with
    known = known_checkpoints(row, files, values)
    kept = {name for name, _ in known}
    if row.state != "running":
        scored = [(value, name) for name, value in known if value is not None]
        best = [min(scored)[1]] if scored else []
        kept = {*best, *(name for name, _ in known[-1:])}
    return [file for file in files if file not in kept]
