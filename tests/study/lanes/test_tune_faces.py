from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from specs import study

from study.driver.messages import Assignment
from study.lanes.tune_faces import ConductorSearcher, TrialErrors


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
    TrialErrors(conductor).on_trial_error(1, [trial], trial)
    assert conductor.lost == [(7, reason)]


def test_the_searcher_says_not_now_and_no_more_and_frees_a_lane_when_tune_has_it_back() -> None:
    conductor: Any = Conductor()
    searcher = ConductorSearcher(conductor)
    assert searcher.suggest("a") == {"assignment": Assignment("s", 4, 1, study())}
    assert searcher.suggest("b") is None
    conductor.finished = True
    assert searcher.suggest("c") == "FINISHED"
    assert conductor.released == []
    searcher.on_trial_complete("a", {}, error=False)
    assert conductor.released == [4]
