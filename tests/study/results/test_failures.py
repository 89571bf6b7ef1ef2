from __future__ import annotations

from dataclasses import replace

from ledger_rows import START, complete, running

from study.results.failures import failure_lines, have_all_failed
from study.results.tables import TrialRow


def failed(trial: int, reason: str) -> TrialRow:
    return replace(running(trial), state="failed", reason=reason, ended=START)


def test_reasons_are_counted_and_the_first_is_whole() -> None:
    long = "ValueError: " + "x" * 400
    rows = [
        failed(0, long),
        failed(1, "diverged"),
        failed(2, "diverged"),
        failed(3, "the score is 12"),
        failed(4, "the score is 3.5e-7"),
    ]
    first, second = failure_lines(rows)
    assert first.startswith("5 trials failed: 2 x diverged, 2 x the score is 12, 1 x ValueError: ")
    assert len(first) < 200
    assert second == f"the first, trial 0: {long}"
    assert have_all_failed(rows)


def test_one_reason_needs_one_line() -> None:
    assert failure_lines([failed(0, "diverged")]) == ["1 trial failed: 1 x diverged"]


def test_some_of_several_failed() -> None:
    rows = [complete(0, 1.0), failed(1, "diverged")]
    assert failure_lines(rows) == ["1 of 2 trials failed: 1 x diverged"]
    assert not have_all_failed(rows)
    assert failure_lines(rows[:1]) == []
    assert not have_all_failed([])
