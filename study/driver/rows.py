"""What happens to a trial, as rows of the ledger."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from statistics import fmean
from typing import Literal

from study.driver.messages import Report, StoredFile
from study.results.tables import ArtifactRow, ReportRow, Row, ScoreRow, TrialRow
from study.spec import Picks, Study
from study.spec.tree import leaves


def first_row(
    seed: int,
    number: int,
    spec: Study | None,
    picks: Picks,
    repeats: int | None,
    code_digest: str,
    started: datetime,
) -> TrialRow:
    """The row of a trial that begins; `spec` is None if its picks make no valid study."""
    return TrialRow(
        trial=number,
        state="running",
        stage="search" if repeats is None else "final",
        repeats=repeats,
        spec=spec.model_dump(mode="json") if spec else {},
        spec_hash=spec.digest() if spec else "",
        picks=picks,
        seed=seed,
        started=started,
        config=leaves(spec.trial_config(), picks) if spec else {},
        code_digest=code_digest,
    )


def row_after(row: TrialRow, report: Report) -> TrialRow:
    """A trial's row with what a report says."""
    value = _value(report)
    return replace(
        row,
        value=row.value if value is None else value,
        collapsed=row.collapsed if value is None else report.collapsed,
        epoch=report.epoch,
        images_seen=report.images_seen,
        train_seconds=report.seconds,
        score_seconds=report.score_seconds,
        parameters=report.parameters,
        data_digest=report.data_digest,
        skipped_pictures=len(report.skipped),
        checkpoint=row.checkpoint if report.checkpoint is None else report.checkpoint.name,
        lane=report.lane,
        host=report.host,
    )


def report_rows(report: Report, stage: Literal["search", "final"]) -> Iterator[Row]:
    """A report's epochs, its scores, and the picture of its samples."""
    value = _value(report)
    for epoch in report.epochs:
        scored = report.score is not None and report.score.epoch == epoch.epoch
        yield ReportRow(
            trial=report.number,
            value=value if scored else None,
            lane=report.lane,
            **asdict(epoch),
        )
    for measured in () if report.score is None else (report.score, *report.more):
        yield ScoreRow(trial=report.number, stage=stage, **asdict(measured))
    if report.samples is not None:
        yield file_row(report, "samples", report.samples)


def file_row(report: Report, kind: Literal["checkpoint", "samples"], file: StoredFile) -> Row:
    """A file that came with a report."""
    return ArtifactRow(
        trial=report.number, epoch=report.epoch, kind=kind, path=file.name, bytes=file.bytes
    )


def objective_values(report: Report, value: float, names: Sequence[str]) -> list[float]:
    """The values of a complete trial's objectives, in their order (see `search.objectives`)."""
    measured = {
        "score": value,
        "steps": float(report.score.steps if report.score else 0),
        "parameters": float(report.parameters),
        "train_seconds": report.seconds,
    }
    return [measured[name] for name in names]


def _value(report: Report) -> float | None:
    """The objective; of a final run's several seeds, which are equally good, the mean."""
    return fmean(report.values) if report.values else None
