from __future__ import annotations

import pytest
from specs import study
from stages import report

from study.driver.messages import Assignment, Rest, failed


def test_tune_knows_trials_and_rests_by_their_numbers() -> None:
    assert Assignment("small", 3, 7, study()).label == "0003"
    assert Rest(-12, ended=2).label == "rest0012"


def test_the_values_of_a_report_are_the_objectives_alone() -> None:
    assert report(0, 1, None, "running").values == ()
    assert report(0, 1, 0.5, "running").values == (0.5,)
    first, second, other = (report(0, 1, value, "done").score for value in (0.5, 0.25, 0.125))
    assert second is not None
    assert other is not None
    recall = type(other)(**{**vars(other), "metric": "recall"})
    final = report(0, 1, 0.5, "done", more=(recall, second))  # of two sampling seeds
    assert first == final.score
    assert final.values == (0.5, 0.25)


def test_a_signature_changes_nothing_else() -> None:
    sent = report(0, 2, 0.5, "running")
    signed = sent.signed("lane 7", "there")
    assert (signed.lane, signed.host) == ("lane 7", "there")
    assert signed.signed(sent.lane, sent.host) == sent


@pytest.mark.parametrize("before", [None, report(5, 2, 0.5, "running")])
def test_a_failure_keeps_what_was_reached_and_reports_nothing_again(before: object) -> None:
    last = report(5, 2, 0.5, "running") if before else None
    lost = failed(5, "died", last)
    assert (lost.number, lost.outcome, lost.reason) == (5, "failed", "died")
    assert (lost.score, lost.more, lost.epochs, lost.samples) == (None, (), (), None)
    reached = (lost.epoch, lost.images_seen, lost.seconds, lost.parameters)
    assert reached == ((2, 200, 4.0, 123) if last else (0, 0, 0.0, 0))
