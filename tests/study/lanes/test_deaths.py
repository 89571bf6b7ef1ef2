from __future__ import annotations

from typing import Any

import pytest
from ray.exceptions import ActorDiedError
from ray.train.v2._internal.exceptions import (
    UserExceptionWithTraceback,
    WorkerHealthCheckFailedError,
)

from study.lanes.deaths import DeathReporter, TrialFailedError, in_a_line


class MailboxHandle:
    """Notes calls as an actor handle takes them."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.died = self

    def remote(self, lane: str, error: str) -> None:
        self.calls.append((lane, error))


def lost(preempted: bool) -> Exception:
    """What Ray Train gives for a worker whose process is gone."""
    death = ActorDiedError()
    death._preempted = preempted
    assert death.preempted is preempted
    return WorkerHealthCheckFailedError("the health check failed", failure=death)


def raised(error: Exception) -> Exception:
    """What it gives for a worker that ended with an exception of its own."""
    return UserExceptionWithTraceback(error, traceback_str=f"Traceback ...\n{error}")


def reported(**errors: Exception) -> list[tuple[str, str]]:
    mailbox: Any = MailboxHandle()
    by_rank = dict(enumerate(errors.values()))
    DeathReporter(mailbox, "lane-0").after_exception(None, by_rank)
    calls: list[tuple[str, str]] = mailbox.calls
    return calls


def test_a_lost_process_and_an_exception_are_deaths() -> None:
    (call,) = reported(rank=lost(preempted=False))
    assert call[0] == "lane-0"
    assert "\n" not in call[1]
    assert len(reported(rank=raised(ImportError("no module")))) == 1
    assert len(reported(one=lost(preempted=False), other=raised(RuntimeError("gloo")))) == 1


@pytest.mark.parametrize("collateral", [raised(RuntimeError("gloo")), lost(preempted=False)])
def test_a_preemption_is_no_death_nor_is_what_comes_of_it(collateral: Exception) -> None:
    assert reported(one=collateral, other=lost(preempted=True)) == []


def test_workers_that_end_as_their_trial_failed_have_not_died() -> None:
    failure = raised(TrialFailedError("ValueError: no such layer"))
    assert reported(one=failure, other=raised(RuntimeError("gloo"))) == []


def test_of_a_long_error_the_end_is_kept_which_has_the_cause() -> None:
    traceback = "Traceback\n" + "  File ...\n" * 100 + "ModuleNotFoundError: No module named 'nets'"
    line = in_a_line(traceback, 80)
    assert len(line) == 80
    assert line.startswith("... ")
    assert line.endswith("ModuleNotFoundError: No module named 'nets'")
    assert in_a_line("a\n b", 80) == "a b"
    (call,) = reported(rank=raised(ImportError("x" * 400 + " the cause")))
    assert call[1].endswith(" the cause")
