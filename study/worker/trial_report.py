"""The report of a trial: where it stands, in the values that the driver and the ledger take."""

from __future__ import annotations

from collections.abc import Sequence

from models.family import Family
from study.driver.messages import (
    Assignment,
    EpochResult,
    Outcome,
    Report,
    ScoreResult,
    StoredFile,
)
from study.worker.workbench import TrainingImages


def make_report(
    assignment: Assignment,
    family: Family,
    images: TrainingImages,
    outcome: Outcome,
    *,
    epoch: int,
    images_seen: int,
    seconds: float,
    score_seconds: float,
    reason: str = "",
    epochs: Sequence[EpochResult] = (),
    scores: Sequence[ScoreResult] = (),
    checkpoint: StoredFile | None = None,
    samples: StoredFile | None = None,
) -> Report:
    """What a trial reports of itself.

    Args:
        assignment: The trial.
        family: Its networks.
        images: What it is trained on.
        outcome: See `Report`, as all that follows.
        epoch: Whole epochs trained so far.
        images_seen: Training images seen so far.
        seconds: Of training so far.
        score_seconds: Of scoring so far.
        reason: Why it ended.
        epochs: Those since the last report.
        scores: The objective first; none if nothing was measured.
        checkpoint: The one that this report can be continued from.
        samples: The picture of its samples.
    """
    return Report(
        number=assignment.number,
        outcome=outcome,
        reason=reason,
        epoch=epoch,
        images_seen=images_seen,
        seconds=seconds,
        score_seconds=score_seconds,
        parameters=sum(p.numel() for p in family.parameters()),
        data_digest=images.digest,
        skipped=images.whole.skipped,
        epochs=tuple(epochs),
        score=scores[0] if scores else None,
        more=tuple(scores[1:]),
        checkpoint=checkpoint,
        samples=samples,
    )
