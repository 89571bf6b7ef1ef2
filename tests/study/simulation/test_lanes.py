from __future__ import annotations

from pathlib import Path

import pytest
from simulated import EPOCHS, grid_study, in_folder, learning, table, worth
from stages import Stage

from study.driver.events import Event, TrialEnded, TrialStarted
from study.driver.messages import Assignment
from study.simulation.clock import START
from study.simulation.lanes import Timing
from study.simulation.learning_curves import Curve, Point
from study.simulation.run import simulate
from study.spec import Picks, UserError

QUICK = Timing(start=0.0, between=0.0, restart=0.0)
FINALISTS = {"top": 2, "training_seeds": 3, "sampling_seeds": 2}


def test_a_trial_takes_the_seconds_of_its_curve(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    result = simulate(grid_study(trials=2), storage, learning(), lanes=1)
    first, second = table(storage, "trials")
    for trial, start in ((first, 25.0), (second, None)):
        spent = trial["train_seconds"] + trial["score_seconds"]
        took = (trial["ended"] - trial["started"]).total_seconds()
        assert took == pytest.approx(spent + (start or 0.0), abs=1e-5)
        assert trial["score_seconds"] == EPOCHS * 5.0
    assert first["started"] == START
    assert (second["started"] - first["ended"]).total_seconds() == pytest.approx(0.2, abs=1e-5)
    assert result.busy == (pytest.approx(result.seconds - 25.0 - 2 * 0.2),)
    assert result.images == 2 * EPOCHS * 100


@pytest.mark.parametrize("pruner", ["none", "asha", "median"])
def test_no_lane_is_idle_while_trials_are_left(tmp_path: Path, pruner: str) -> None:
    storage = in_folder(tmp_path)
    result = simulate(grid_study(pruner=pruner), storage, learning(), lanes=4, timing=QUICK)
    last_start = max(row["started"] for row in table(storage, "trials"))
    handed_out = (last_start - START).total_seconds()
    assert handed_out > 0
    assert all(busy >= handed_out - 1e-3 for busy in result.busy)
    assert sum(result.states.values()) == 24


def test_the_lane_of_a_pruned_trial_goes_on_at_once(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    result = simulate(grid_study(pruner="asha"), storage, learning(), lanes=3)
    assert result.states["pruned"] > 3
    rows = table(storage, "trials")
    for pruned in rows:
        if pruned["state"] != "pruned" or pruned["ended"] > rows[-1]["started"]:
            continue
        started = [(row["started"] - pruned["ended"]).total_seconds() for row in rows]
        assert min(wait for wait in started if wait > 0) == pytest.approx(0.2, abs=1e-5)


def test_a_trial_waits_for_the_conductors_answer(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    simulate(grid_study(pruner="asha"), storage, learning(), lanes=3)
    trained = {row["trial"]: row["epoch"] for row in table(storage, "reports")}  # the last one
    for row in table(storage, "trials"):
        assert trained[row["trial"]] == row["epoch"]
        if row["state"] == "pruned":
            assert row["reason"] == f"asha at epoch {row['epoch']}"


def test_lanes_rest_in_the_finals_and_then_go_on(tmp_path: Path) -> None:
    events: list[Event] = []
    storage = in_folder(tmp_path)
    result = simulate(
        grid_study(trials=5, finalists=FINALISTS), storage, learning(), lanes=4,
        listeners=[events.append],
    )  # fmt: skip
    rows = table(storage, "trials")
    assert [row["stage"] for row in rows[:5]] == ["search"] * 5
    finals = rows[5:]
    assert 4 <= len(finals) <= 6
    searched = max(row["ended"] for row in rows[:5])
    # All four runs of the first round start when the search's last trial has ended: three lanes
    # have rested, and are there.
    waits = [(row["started"] - searched).total_seconds() for row in finals[:4]]
    assert waits == pytest.approx([0.2] * 4, abs=1e-4)
    assert {row["lane"] for row in finals[:4]} == {f"lane-{index}" for index in range(4)}
    assert [row["state"] for row in finals] == ["complete"] * len(finals)
    assert len(result.busy) == 4
    order = [event.number for event in events if isinstance(event, TrialStarted)]
    assert order == [*range(len(rows))]


def test_finals_read_what_the_search_has_written(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    simulate(grid_study(trials=6, finalists=FINALISTS), storage, learning(), lanes=2)
    rows = table(storage, "trials")
    best = sorted(range(6), key=lambda number: rows[number]["value"])[:2]
    assert {row["repeats"] for row in rows[6:]} == {*best}
    assert all(len(one) == 2 for one in _final_scores(table(storage, "scores")))


def _final_scores(scores: list[dict[str, object]]) -> list[list[object]]:
    trials = {score["trial"] for score in scores if score["stage"] == "final"}
    return [[s["value"] for s in scores if s["trial"] == trial] for trial in trials]


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_no_lane_trains_a_finalist_whose_place_is_clear(tmp_path: Path, lanes: int) -> None:
    def curves(assignment: Assignment, picks: Picks) -> Curve:
        value = worth(picks) + (picks["model.network.channels"] == "[8]")
        value += assignment.seed / 2**32 / 1000
        return Curve([Point(e, 30.0 * e, value, spread=1e-4) for e in range(1, 10)])

    study = grid_study(trials=4, finalists={**FINALISTS, "training_seeds": 9})
    result = simulate(study, in_folder(tmp_path), curves, lanes=lanes)
    assert result.states == {"complete": 4 + 2 * 2}  # of a budget of 2 * 9


def test_more_lanes_than_trials_do_no_harm(tmp_path: Path) -> None:
    result = simulate(
        grid_study(trials=3, finalists={**FINALISTS, "top": 1}),
        in_folder(tmp_path), learning(), lanes=9,
    )  # fmt: skip
    assert result.states == {"complete": 3 + 2}  # one finalist has no rival: two runs will do
    assert result.busy[3:] == (0.0,) * 6


def test_a_trial_without_a_score_ends_and_its_lane_goes_on(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    failing = learning(failures=lambda assignment: 3 if assignment.number % 4 == 1 else None)
    result = simulate(grid_study(trials=8), storage, failing, lanes=2)
    assert result.states == {"complete": 6, "failed": 2}
    failed = table(storage, "trials")[1]
    assert (failed["reason"], failed["epoch"]) == ("diverged", 2)


def test_a_curve_that_is_too_short_is_a_mistake(tmp_path: Path) -> None:
    whole = learning()
    with pytest.raises(UserError, match="trains epoch 4, but its learning curve has 3"):
        simulate(
            grid_study(trials=1), in_folder(tmp_path), 
            lambda assignment, picks: Curve(whole(assignment, picks).points[:3]), lanes=1,
        )  # fmt: skip


def test_a_conductor_that_somebody_else_made_can_be_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, grid_study(trials=4), lanes=2)
    stage.run(learning())
    assert [event.state for event in stage.events if isinstance(event, TrialEnded)] == [
        "complete"
    ] * 4
    assert [trial.state.name for trial in stage.search.trials] == ["COMPLETE"] * 4
