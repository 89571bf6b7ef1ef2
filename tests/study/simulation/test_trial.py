from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from simulated import in_folder
from specs import study

from study.driver.files import checkpoint_name
from study.driver.messages import Assignment, Report
from study.simulation.learning_curves import Curve, Point
from study.simulation.trial import checkpoint, first_report, interrupted_report, next_report
from study.spec import Study, UserError

CURVE = Curve([Point(100 * e, 10.0 * e, 5.0 / e, 3.0, 0.1, 1 / e) for e in range(1, 7)], 123)


def assignment(sampling_seeds: tuple[int, ...] = (), **score: object) -> Assignment:
    spec: Study = study(train={"epochs": 6}, score=score)
    return Assignment("small", 4, 9, spec, sampling_seeds=sampling_seeds)


def reports(trial: Assignment, curve: Curve = CURVE) -> list[Report]:
    """All of a trial's reports."""
    made = [Report(4, "running", 0, 0, 0.0, 0.0)]
    while made[-1].outcome == "running":
        made.append(next_report(trial, curve, made[-1]))
    return made[1:]


def test_a_trial_reports_as_its_study_says() -> None:
    several = reports(assignment(every=4))
    assert [(one.epoch, one.outcome) for one in several] == [(4, "running"), (6, "done")]
    first, last = several
    assert [epoch.epoch for epoch in first.epochs] == [1, 2, 3, 4]
    assert [epoch.epoch for epoch in last.epochs] == [5, 6]
    assert (first.images_seen, first.seconds, first.score_seconds) == (400, 40.0, 3.0)
    assert (last.images_seen, last.seconds, last.score_seconds) == (600, 60.0, 6.0)
    assert first.values == (1.25,)
    assert first.parameters == 123
    assert first.checkpoint is not None
    assert first.checkpoint.name == checkpoint_name("small", 4, 4, checkpoint(first))


def test_a_curve_says_whether_images_have_collapsed() -> None:
    points = [replace(CURVE.points[e], collapsed=e == 5) for e in range(6)]
    scores = [one.score for one in reports(assignment(), Curve(points))]
    assert [one.collapsed for one in scores if one] == [False] * 5 + [True]
    assert all(one.score and one.score.collapsed is None for one in reports(assignment()))


def test_rungs_say_when_and_of_how_many_images() -> None:
    rungs = [{"until": 2, "epochs": 1, "samples": 16}, {"epochs": 3}]
    several = reports(assignment(every=rungs, samples=64))
    scores = [(one.score.epoch, one.score.samples) for one in several if one.score]
    assert scores == [(1, 16), (2, 16), (5, 64), (6, 64)]


def test_a_final_run_is_scored_at_its_end_with_each_seed() -> None:
    seeds = tuple(range(200))
    several = reports(assignment(seeds, every=2))
    assert [len(one.values) for one in several] == [0, 0, 200]
    assert several[-1].score_seconds == 200 * 3.0
    values = several[-1].values
    mean = sum(values) / 200
    assert mean == pytest.approx(5 / 6, abs=0.03)
    assert math.sqrt(sum((v - mean) ** 2 for v in values) / 199) == pytest.approx(0.1, rel=0.15)
    assert several[-1] == reports(assignment(seeds, every=2))[-1]


def test_a_training_that_diverges_fails_in_its_epoch() -> None:
    curve = Curve([*CURVE.points[:4], Point(450, 44.0, failure="diverged")])
    report = reports(assignment(every=3), curve)[-1]
    assert (report.outcome, report.reason, report.epoch) == ("failed", "diverged", 4)
    assert (report.seconds, report.images_seen) == (44.0, 400)
    assert [epoch.epoch for epoch in report.epochs] == [4]
    assert report.score is None
    assert report.checkpoint is None


def test_a_score_that_nobody_knows_is_a_mistake() -> None:
    with pytest.raises(UserError, match="trial 4 is scored at epoch 6, but its learning curve has"):
        reports(assignment(every=6), Curve([Point(1, 1.0)] * 6))


def test_an_interrupted_trial_says_how_far_it_is_and_loses_nothing(tmp_path: Path) -> None:
    trial, storage = assignment(every=3), in_folder(tmp_path)
    whole = reports(trial)
    report = interrupted_report(trial, CURVE, whole[0], 25.0)
    assert report is not None
    assert (report.outcome, report.epoch, report.seconds) == ("interrupted", 5, 55.0)
    assert [epoch.epoch for epoch in report.epochs] == [4, 5]
    assert report.score is None
    assert report.checkpoint is not None
    storage.write_atomic(report.checkpoint.name, checkpoint(report))
    again = Assignment("small", 4, 9, trial.spec, checkpoint=report.checkpoint.name)
    start = first_report(again, storage)
    last = next_report(again, CURVE, start)
    assert (last.seconds, last.score_seconds, last.values) == (
        whole[-1].seconds, whole[-1].score_seconds, whole[-1].values
    )  # fmt: skip
    assert [epoch.epoch for epoch in last.epochs] == [6]


def test_scoring_is_not_interrupted() -> None:
    trial = assignment(every=3)
    start = Report(4, "running", 0, 0, 0.0, 0.0)
    assert interrupted_report(trial, CURVE, start, 29.9) is not None
    assert interrupted_report(trial, CURVE, start, 30.0) is None


def test_a_trial_that_was_killed_after_its_last_epoch_is_scored_again(tmp_path: Path) -> None:
    trial = assignment(every=3)
    last = reports(trial)[-1]
    start = Report(4, "running", last.epoch, last.images_seen, last.seconds, last.score_seconds)
    again = next_report(trial, CURVE, start)
    assert (again.outcome, again.epochs, again.values) == ("done", (), last.values)
