"""A simulated trial: what it reports next, and what its checkpoint holds.

As `study.worker.trial` has it, only that a learning curve is read where that one trains and scores.
How long something takes is the difference between two reports' seconds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from study.driver.files import checkpoint_name
from study.driver.messages import Assignment, EpochResult, Outcome, Report, ScoreResult, StoredFile
from study.results.storage import Storage
from study.simulation.learning_curves import Curve, Point
from study.spec import UserError
from study.spec.score import Score


def first_report(assignment: Assignment, storage: Storage) -> Report:
    """Where a trial starts: at nothing, or where its checkpoint stands.

    Raises:
        UserError: The study scores the weights of a trained trial, and trains nothing.
    """
    if assignment.spec.weights is not None:
        raise UserError("a study with `weights` trains nothing, so that it has no learning curves")
    number = assignment.number
    if assignment.checkpoint is None:
        return Report(number, "running", epoch=0, images_seen=0, seconds=0.0, score_seconds=0.0)
    return Report(number, "running", **json.loads(storage.read(assignment.checkpoint)))


def checkpoint(report: Report) -> bytes:
    """What the checkpoint of a report holds."""
    return json.dumps(
        {
            "epoch": report.epoch,
            "images_seen": report.images_seen,
            "seconds": report.seconds,
            "score_seconds": report.score_seconds,
        }
    ).encode()


def next_report(assignment: Assignment, curve: Curve, last: Report) -> Report:
    """The report that follows another one of the same trial.

    Raises:
        UserError: The curve ends before, or has no score there.
    """
    spec = assignment.spec
    epochs: list[EpochResult] = []
    for epoch in range(last.epoch + 1, spec.train.epochs + 1):
        point = curve.at(epoch)
        if point.failure:
            return _report(
                assignment, curve, last, "failed", epochs,
                seconds=max(last.seconds, point.seconds), reason=point.failure,
            )  # fmt: skip
        epochs.append(EpochResult(epoch, point.images_seen, point.seconds, point.loss))
        if spec.score.scores_at(epoch):
            break
    reached = epochs[-1].epoch if epochs else last.epoch
    over = reached == spec.train.epochs
    scores: list[ScoreResult] = []
    if over or not assignment.sampling_seeds:  # a final run is scored at its end alone
        scores = _scores(assignment, spec.score.at(reached, last=over), reached, curve.at(reached))
    return _report(assignment, curve, last, "done" if over else "running", epochs, scores)


def interrupted_report(
    assignment: Assignment, curve: Curve, last: Report, elapsed: float
) -> Report | None:
    """The report of a trial that is asked to stop.

    Args:
        assignment: The trial.
        curve: Its learning curve.
        last: Its last report.
        elapsed: Seconds since then, spent on the trial.

    Returns:
        None if it is being scored by then: that is not interrupted, and the next report comes.
    """
    following = next_report(assignment, curve, last)
    seconds = last.seconds + elapsed
    if seconds >= following.seconds and following.score is not None:
        return None
    epochs = [epoch for epoch in following.epochs if epoch.seconds <= seconds]
    return _report(assignment, curve, last, "interrupted", epochs, seconds=seconds)


def _scores(assignment: Assignment, score: Score, epoch: int, point: Point) -> list[ScoreResult]:
    """One score, or of a final run one a sampling seed; the spread says how they scatter."""
    if point.value is None:
        raise UserError(f"trial {assignment.number} is scored at epoch {epoch}, but its learning "
                        "curve has no value there")  # fmt: skip
    sampling = assignment.spec.sampling
    values = {score.seed: point.value} if not assignment.sampling_seeds else {
        seed: point.value + (point.spread or 0.0) * Random(seed).gauss(0.0, 1.0)
        for seed in assignment.sampling_seeds
    }  # fmt: skip
    return [
        ScoreResult(
            epoch=epoch,
            metric=score.metric_name,
            value=value,
            spread=point.spread,
            samples=score.samples,
            sampler=sampling.text,
            steps=sampling.steps,
            seed=seed,
            embedder="simulated",
            reference="simulated",
            seconds=point.score_seconds,
            collapsed=point.collapsed,
        )
        for seed, value in values.items()
    ]


def _report(
    assignment: Assignment,
    curve: Curve,
    last: Report,
    outcome: Outcome,
    epochs: Sequence[EpochResult],
    scores: Sequence[ScoreResult] = (),
    *,
    seconds: float | None = None,
    reason: str = "",
) -> Report:
    """A report of what has been trained and scored since the last one.

    Args:
        assignment: The trial.
        curve: Its learning curve.
        last: Its last report.
        outcome: Of this one.
        epochs: Whole epochs trained since.
        scores: What was measured.
        seconds: Of training so far, where that is not to the end of the last epoch.
        reason: Why it failed.
    """
    newest = epochs[-1] if epochs else None
    epoch = newest.epoch if newest else last.epoch
    trained = newest.seconds if newest else last.seconds
    report = Report(
        number=assignment.number,
        outcome=outcome,
        epoch=epoch,
        images_seen=newest.images_seen if newest else last.images_seen,
        seconds=trained if seconds is None else seconds,
        score_seconds=last.score_seconds + sum(score.seconds for score in scores),
        parameters=curve.parameters,
        data_digest="simulated",
        reason=reason,
        epochs=tuple(epochs),
        score=scores[0] if scores else None,
        more=tuple(scores[1:]),
    )
    if outcome == "failed":
        return report
    data = checkpoint(report)
    name = checkpoint_name(assignment.study, assignment.number, epoch, data)
    return replace(report, checkpoint=StoredFile(name, len(data)))
