from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
from rich.console import Console
from simulated import EPOCHS, grid_study, in_folder

from study.driver.display import (
    LiveDisplay,
    PlainDisplay,
    SilentDisplay,
    Tally,
    make_display,
)
from study.driver.events import Event, SearchStopped, TrialEnded, TrialReported, TrialStarted
from study.driver.messages import Assignment, EpochResult, Progress, Report, ScoreResult
from study.driver.resume import read_earlier_run
from study.results.storage import Storage
from study.results.summary import summarise_study
from study.simulation.faults import Interrupt
from study.simulation.learning_curves import Curve, Point
from study.simulation.run import simulate
from study.spec import Picks


def report(number: int, value: float) -> Report:
    score = ScoreResult(1, "fd_vae", value, 10, "ddim", 5, 0, "e", "r", 0.1)
    epochs = (EpochResult(1, 100, 1.0, 0.25),)
    return Report(number, "running", 1, 100, 1.0, 0.1, epochs=epochs, score=score, lane="lane-0")


EVENTS: list[Event] = [
    TrialStarted(0, {"model.timesteps": 214, "train.learning_rate": 0.00123456}),
    TrialReported(report(0, 8.5), True, ranked=True),
    TrialEnded(0, "pruned", "asha at epoch 1", 8.5, 1, "fd_vae"),
    TrialStarted(1, {}),
    TrialEnded(1, "failed", "diverged", None, 0, "fd_vae"),
    TrialStarted(2, {}),
    TrialEnded(2, "running", "interrupted", 3.5, 2, "fd_vae"),
]
LANES = [
    Progress("lane-0", "training", 0, 1, 9, 3, 10, 0.5),
    Progress("lane-1", "starting"),
]


def show(terminal: bool, width: int = 100) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=width)
    display = make_display(4, "fd_vae", console=console)
    for event in EVENTS:
        display.event(event)
        display.lanes(LANES)
    display.lanes([LANES[0]])
    display.message("hello")
    display.close()
    return stream.getvalue()


def test_without_a_terminal_each_event_is_one_plain_line() -> None:
    text = show(terminal=False)
    lines = text.splitlines()
    assert "\x1b" not in text
    events = [line.split(maxsplit=1)[1] for line in lines]
    assert events[0] == "trial 0 started: timesteps=214, learning_rate=0.001235"
    assert events[1] == "trial 0 epoch 1: loss 0.2500 fd_vae 8.5, the best so far (lane-0)"
    assert events[2].startswith("trial 0 pruned: asha at epoch 1, fd_vae 8.5 [1/4")
    assert events[4].startswith("trial 1 failed: diverged [2/4")
    assert events[6] == "trial 2 interrupted, fd_vae 3.5 [2/4]"
    assert events[7:] == ["1 lane ready", "hello"]
    assert len(lines) == 9


def test_on_a_terminal_the_table_shows_states_lanes_the_best_and_time_left() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    display = LiveDisplay(Tally(4, "fd_vae"), console)
    display.event(EVENTS[0])
    display.event(EVENTS[1])
    display.lanes(LANES)
    plain = Console(file=io.StringIO(), width=120, record=True)
    plain.print(display._render())
    text = plain.export_text()
    display.close()
    for piece in ("0/4", "1 running", "fd_vae 8.5 (trial 0)", "left", "1/9", "0.5000", "starting"):
        assert piece in text, piece


def test_a_terminal_shows_each_end_as_a_line_with_the_reason_of_a_failure() -> None:
    text = show(terminal=True)
    assert "pruned" in text
    assert "diverged" in text
    assert "interrupted" in text


def test_time_left_is_unknown_until_a_trial_ends_and_then_shrinks() -> None:
    tally = Tally(2, "fd_vae")
    display = PlainDisplay(tally, Console(file=io.StringIO()))
    assert tally.time_left() is None
    display.lanes([LANES[0]])
    display.event(EVENTS[0])
    display.event(EVENTS[2])
    first = tally.time_left()
    assert first is not None
    display.event(EVENTS[3])
    display.event(EVENTS[4])
    assert tally.time_left() == 0


def test_a_silent_display_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    display = SilentDisplay()
    for event in EVENTS:
        display.event(event)
    display.lanes(LANES)
    display.message("hello")
    display.close()
    assert capsys.readouterr() == ("", "")


def test_a_search_that_ends_early_says_why() -> None:
    for terminal in (False, True):
        stream = io.StringIO()
        display = make_display(
            9, "fd_vae", console=Console(file=stream, force_terminal=terminal, width=100)
        )
        display.event(SearchStopped(2, 9, "all 2 points of the space have failed"))
        display.close()
        line = "the search ends after 2 of 9 trials: all 2 points of the space have failed"
        assert line in stream.getvalue()


@pytest.mark.parametrize("at", [120.0, 333.0, 500.0])
def test_the_live_line_agrees_with_what_list_reads(tmp_path: Path, at: float) -> None:
    # The learning curves go up and down, so that the best is not what it once was.
    study, storage = grid_study(trials=8, pruner="asha"), in_folder(tmp_path)
    tally = Tally(8, "fd_pixels")
    simulate(study, storage, wavy, lanes=3, faults=[Interrupt(at)], listeners=[tally.take])
    agrees(tally, storage)
    earlier = read_earlier_run(storage, "small")
    resumed = Tally(8, "fd_pixels", earlier.states, earlier.values)
    agrees(resumed, storage)
    simulate(study, storage, wavy, lanes=3, resume=True, listeners=[resumed.take])
    agrees(resumed, storage)
    assert resumed.ended == 8


def wavy(assignment: Assignment, picks: Picks) -> Curve:
    luck = Random(assignment.seed)
    points = [Point(100 * e, 30.0 * e, 5 + luck.uniform(0, 5), 5.0) for e in range(1, EPOCHS + 1)]
    return Curve(points, parameters=1)


def agrees(tally: Tally, storage: Storage) -> None:
    summary = summarise_study(storage, "small")
    assert summary.best is not None
    assert tally.best == (summary.best.value, summary.best.trial)
    assert tally.ended == summary.ended
