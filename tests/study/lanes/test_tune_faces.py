from __future__ import annotations

import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from specs import study

from study.driver.messages import Assignment, Report
from study.lanes.tune_faces import ConductorScheduler, ConductorSearcher, Halt, TrialErrors
from study.results.outage import StorageUnavailable
from study.spec.errors import MachineFault


class Conductor:
    """Notes what the faces tell it, and has one trial to give."""

    def __init__(self) -> None:
        self.lost: list[tuple[int, str]] = []
        self.released: list[int] = []
        self.trials = [Assignment("s", 4, 1, study()), None, None]
        self.finished = False

    def next_trial(self) -> Assignment | None:
        return self.trials.pop(0)

    def release(self, number: int) -> None:
        self.released.append(number)

    def lose(self, number: int, reason: str) -> None:
        self.lost.append((number, reason))


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (
            "Failure # 1\nTraceback ...\nLaneBroken: node lost\n\n",
            "lane lost: LaneBroken: node lost",
        ),
        ("\n", "lane lost: no reason given"),
    ],
)
def test_a_lost_lane_is_told_with_the_last_line_of_its_error(
    tmp_path: Path, written: str, reason: str
) -> None:
    (tmp_path / "error.txt").write_text(written)
    conductor: Any = Conductor()
    trial: Any = SimpleNamespace(
        error_file=str(tmp_path / "error.txt"),
        config={"assignment": Assignment("s", 7, 1, study())},
    )
    TrialErrors(conductor, Halt(), lambda: None).on_trial_error(1, [trial], trial)
    assert conductor.lost == [(7, reason)]


def test_the_searcher_says_not_now_and_no_more_and_frees_a_lane_when_tune_has_it_back() -> None:
    conductor: Any = Conductor()
    searcher = ConductorSearcher(conductor, Halt())
    assert searcher.suggest("a") == {"assignment": Assignment("s", 4, 1, study())}
    assert searcher.suggest("b") is None
    conductor.finished = True
    assert searcher.suggest("c") == "FINISHED"
    assert conductor.released == []
    searcher.on_trial_complete("a", {}, error=False)
    assert conductor.released == [4]


def test_where_the_machine_fails_no_trial_does(tmp_path: Path) -> None:
    conductor: Any = Conductor()
    halted: list[Exception] = []
    halt = Halt(halted.append)
    fault = MachineFault("Ray has lost the study's mailbox")
    trial: Any = SimpleNamespace(error_file="", config={"assignment": conductor.trials[0]})
    errors = TrialErrors(conductor, halt, lambda: fault)
    errors.on_trial_error(1, [trial], trial)
    errors.on_trial_error(1, [trial], trial)
    assert conductor.lost == []
    assert halted == [fault]
    assert halt.stop_all()
    assert ConductorSearcher(conductor, halt).suggest("a") == "FINISHED"
    assert len(conductor.trials) == 3


class Broken(Conductor):
    """A driver that cannot write."""

    def next_trial(self) -> Assignment | None:
        raise StorageUnavailable("away")

    def report(self, report: Report) -> bool:
        raise StorageUnavailable("away")

    def lose(self, number: int, reason: str) -> None:
        raise StorageUnavailable("away")


def test_what_the_driver_raises_stops_tune_and_is_no_error_of_a_trial() -> None:
    conductor: Any = Broken()
    trial: Any = SimpleNamespace(error_file="", config={"assignment": conductor.trials[0]})
    report = Report(4, "running", 1, 10, 1.0, 1.0)
    for act, answer in (
        (lambda halt: ConductorSearcher(conductor, halt).suggest("a"), "FINISHED"),
        (
            lambda halt: ConductorScheduler(conductor, halt).on_trial_result(
                None, trial, {"report": report}
            ),
            "STOP",
        ),
        (
            lambda halt: TrialErrors(conductor, halt, lambda: None).on_trial_error(1, [], trial),
            None,
        ),
    ):
        halt = Halt()
        assert act(halt) == answer
        assert isinstance(halt.error, StorageUnavailable)


def test_tune_may_pickle_it() -> None:
    assert not pickle.loads(pickle.dumps(Halt(print))).__dict__
