from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from simulated import EPOCHS, content, grid_study, in_folder, learning, table
from study_trees import changed, parse_study

from study.driver.events import Event, SearchStopped
from study.driver.messages import Assignment
from study.results.storage import Storage
from study.simulation.clock import START
from study.simulation.faults import Interrupt, Kill, LaneLoss, WorkerDeath
from study.simulation.lanes import Timing
from study.simulation.learning_curves import Curve, Curves, Point
from study.simulation.run import simulate
from study.spec import Picks, StudyFile, UserError

FINALISTS = {"top": 3, "training_seeds": 3, "sampling_seeds": 2}
NOTHING = Timing(start=0.0, between=0.0, restart=0.0)


def values(storage: Storage) -> list[tuple[Any, ...]]:
    """How each trial ended."""
    columns = ("trial", "epoch", "state", "reason", "value", "images_seen", "stage", "repeats")
    return [tuple(row.values()) for row in table(storage, "trials", columns)]


def measured(storage: Storage) -> dict[str, list[dict[str, Any]]]:
    """What was trained and scored, without when and where."""
    reports = ("trial", "epoch", "images_seen", "seconds", "loss", "value")
    scores = ("trial", "epoch", "stage", "metric", "samples", "seed", "value", "spread")
    return {
        "reports": table(storage, "reports", reports),
        "scores": sorted(
            table(storage, "scores", scores), key=lambda s: (s["trial"], s["epoch"], s["seed"])
        ),
    }


def day(file: StudyFile, storage: Storage, curves: Curves, **more: Any) -> Any:
    return simulate(file, storage, curves, lanes=16, **more)


def test_the_same_arguments_give_the_same_rows(tmp_path: Path) -> None:
    faults = [WorkerDeath(200.0, 1), LaneLoss(300.0, 0), WorkerDeath(700.0, 2)]
    study = grid_study(pruner="asha", finalists=FINALISTS)
    one, other = in_folder(tmp_path / "one"), in_folder(tmp_path / "other")
    results = [simulate(study, s, learning(), lanes=3, faults=faults) for s in (one, other)]
    assert results[0] == results[1]
    assert content(one) == content(other)
    assert len(table(one, "trials")) > 24


def test_another_seed_is_another_study(tmp_path: Path) -> None:
    file = parse_study(changed(search={"trials": 6}))
    storages = [in_folder(tmp_path / str(seed)) for seed in range(3)]

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        return Curve([Point(e, 1.0 * e, 1.0 + assignment.seed / 2**32) for e in range(1, 10)])

    for storage, seed in zip(storages, (5, 5, 6), strict=True):
        simulate(file, storage, curves, lanes=2, seed=seed)
    first, same, other = (table(storage, "trials") for storage in storages)
    assert first == same
    assert [row["picks"] for row in first] != [row["picks"] for row in other]
    assert not {row["seed"] for row in first} & {row["seed"] for row in other}
    assert '"seed": 6' in other[0]["spec"]


def test_the_result_says_what_it_cost_and_what_was_best_when(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    result = simulate(grid_study(pruner="asha"), storage, learning(), lanes=3)
    trials, reports = table(storage, "trials"), table(storage, "reports")
    assert result.images == sum(row["images_seen"] for row in trials) == 100 * len(reports)
    spent = sum(row["train_seconds"] + row["score_seconds"] for row in trials)
    assert sum(result.busy) == pytest.approx(spent)
    assert max(result.busy) < result.seconds
    ended = max(row["ended"] for row in trials)
    assert result.seconds == pytest.approx((ended - START).total_seconds() + 0.2)
    improved = [best.value for best in result.best]
    assert improved == sorted(improved, reverse=True)
    assert improved[-1] == min(row["value"] for row in reports)
    assert [b.seconds for b in result.best] == sorted(b.seconds for b in result.best)
    assert [b.images for b in result.best] == sorted(b.images for b in result.best)
    assert result.best[-1].trial == min(trials, key=lambda row: row["value"])["trial"]
    assert not result.killed


@pytest.mark.slow
@pytest.mark.parametrize("at", [10.0, 100.0, 171.0, 800.0])
@pytest.mark.parametrize("finalists", [None, FINALISTS])
def test_an_interrupted_study_ends_as_one_that_was_not(
    tmp_path: Path, at: float, finalists: dict[str, Any] | None
) -> None:
    study = grid_study(trials=8, finalists=finalists)
    whole, parts = in_folder(tmp_path / "whole"), in_folder(tmp_path / "parts")
    simulate(study, whole, learning(), lanes=3)
    first = simulate(study, parts, learning(), lanes=3, faults=[Interrupt(at)])
    assert first.states["running"] in (2, 3)
    assert first.seconds < at + 40
    stopped = [row for row in table(parts, "trials") if row["state"] == "running"]
    assert {row["reason"] for row in stopped} == {"interrupted"}
    second = simulate(study, parts, learning(), lanes=3, resume=True)
    assert "running" not in second.states
    assert values(parts) == values(whole)
    assert measured(parts) == measured(whole)
    assert first.images + second.images == 100 * len(table(whole, "reports"))


def test_a_study_that_is_interrupted_in_its_finals_ends_as_one_that_was_not(
    tmp_path: Path,
) -> None:
    study = grid_study(trials=4, finalists=FINALISTS)
    whole, parts = in_folder(tmp_path / "whole"), in_folder(tmp_path / "parts")
    simulate(study, whole, learning(), lanes=4)
    simulate(study, parts, learning(), lanes=4, faults=[Interrupt(500.0)])
    assert {row["stage"] for row in table(parts, "trials") if row["state"] == "running"} == {
        "final"
    }
    simulate(study, parts, learning(), lanes=4, resume=True)
    # Which runs come after the first round may follow from another order of their ends.
    assert values(parts)[: 4 + 6] == values(whole)[: 4 + 6]


@pytest.mark.slow
def test_asha_with_16_lanes_decides_as_it_would_have_when_its_rows_are_read_again(
    tmp_path: Path,
) -> None:
    study = grid_study(pruner={"kind": "asha", "reduction_factor": 2})
    curves = learning(score_seconds=0.0)
    whole, parts = in_folder(tmp_path / "whole"), in_folder(tmp_path / "parts")
    day(study, whole, curves, timing=NOTHING)
    for stop in range(6):
        # Nothing but the trials themselves takes time, so that they go on in step.
        day(study, parts, curves, timing=NOTHING, faults=[Interrupt(47.0)], resume=stop > 0)
    day(study, parts, curves, timing=NOTHING, resume=True)
    assert {row[2] for row in values(whole)} == {"complete", "pruned"}
    assert values(parts) == values(whole)


@pytest.mark.slow
@pytest.mark.parametrize("at", [50.0, 64.0, 200.0, 333.0, 800.0])
def test_a_killed_study_ends_with_the_same_values(tmp_path: Path, at: float) -> None:
    study = grid_study(trials=8)
    whole, parts = in_folder(tmp_path / "whole"), in_folder(tmp_path / "parts")
    simulate(study, whole, learning(), lanes=3)
    first = simulate(study, parts, learning(), lanes=3, faults=[Kill(at)], flush_seconds=None)
    assert first.killed
    assert first.seconds == at
    assert 2 * at < sum(first.busy) + 3 * (25.0 + 3 * 0.2) < 3 * at + 3
    simulate(study, parts, learning(), lanes=3, resume=True)
    assert values(parts) == values(whole)
    assert [row["trial"] for row in table(parts, "trials")] == [*range(8)]


def test_a_killed_driver_leaves_no_gap(tmp_path: Path) -> None:
    """A trial goes on from the checkpoint that the ledger knows, not from a newer one."""
    study = grid_study(trials=1)
    whole, parts = in_folder(tmp_path / "whole"), in_folder(tmp_path / "parts")
    simulate(study, whole, learning(), lanes=1)
    for at in (100.0, 170.0, 171.0):
        resume = at > 100.0
        faults = [Kill(at - 100.0 * resume)]
        simulate(
            study, parts, learning(), lanes=1, faults=faults, flush_seconds=None, resume=resume
        )
    simulate(study, parts, learning(), lanes=1, resume=True)
    assert values(parts) == values(whole)
    assert measured(parts) == measured(whole)


def test_a_kill_right_after_another_report_leaves_no_gap(tmp_path: Path) -> None:
    study = grid_study(trials=2)
    apart = 1.0  # the second trial reports within the 2 s for which rows wait

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        late = apart * assignment.number
        return Curve([Point(e, 30.0 * e + late, 1.0 + 1 / e) for e in range(1, EPOCHS + 1)])

    storage = in_folder(tmp_path)
    first = simulate(study, storage, curves, lanes=2, faults=[Kill(86.5)], flush_seconds=None)
    assert epochs(storage) == {0: [1, 2], 1: [1]}  # the second report of the other one waits
    again = simulate(study, storage, curves, lanes=2, resume=True)
    assert epochs(storage) == {number: [*range(1, EPOCHS + 1)] for number in range(2)}
    assert first.images + again.images == 2 * EPOCHS + 1  # that one epoch was trained again


def test_rows_are_written_in_time_though_none_follows(tmp_path: Path) -> None:
    def curves(assignment: Assignment, picks: Picks) -> Curve:
        return Curve([Point(e, 30.0 * e + assignment.number, 1.0) for e in range(1, EPOCHS + 1)])

    storage, faults = in_folder(tmp_path), [Kill(89.0)]  # 2 s after the last report
    simulate(grid_study(trials=2), storage, curves, lanes=2, faults=faults, flush_seconds=None)
    assert epochs(storage) == {0: [1, 2], 1: [1, 2]}


def epochs(storage: Storage) -> dict[int, list[int]]:
    """Epochs of the reports of each trial."""
    reports = table(storage, "reports")
    return {n: [r["epoch"] for r in reports if r["trial"] == n] for n in range(2)}


def test_a_day_of_16_lanes_takes_few_files(tmp_path: Path) -> None:
    file = parse_study(changed(search={"pruner": "asha", "trials": 240}, train={"epochs": 27}))

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        worth = abs(math.log(float(picks["train.learning_rate"] or 1) / 1e-3))
        hours = 0.6 + worth / 10
        return Curve([Point(1000 * e, 3600 * hours * e, worth + 5 / e, 60.0) for e in range(1, 28)])

    storage = in_folder(tmp_path)
    result = day(file, storage, curves)
    assert result.seconds > 24 * 3600
    assert sum(result.states.values()) == 240
    files = [file for file in (tmp_path / "small").rglob("*") if file.is_file()]
    assert len(files) < 5 * (result.seconds / 3600 + 2)
    assert len(table(storage, "reports")) > 400


def test_rows_tell_simulated_time(tmp_path: Path) -> None:
    storage = in_folder(tmp_path)
    result = simulate(grid_study(trials=3), storage, learning(), lanes=2)
    written = [row["written"] for rows in content(storage).values() for row in rows]
    assert all(isinstance(time, datetime) for time in written)
    assert min(written) >= START
    assert (max(written) - START).total_seconds() <= result.seconds


def test_a_name_that_is_taken_is_refused_and_one_that_is_not_cannot_go_on(tmp_path: Path) -> None:
    storage, study = in_folder(tmp_path), grid_study(trials=1)
    with pytest.raises(UserError, match="No study named 'small'"):
        simulate(study, storage, learning(), lanes=1, resume=True)
    simulate(study, storage, learning(), lanes=1)
    with pytest.raises(UserError, match="a study named 'small' is already in"):
        simulate(study, storage, learning(), lanes=1)
    again = simulate(study, storage, learning(), lanes=1, resume=True)
    assert replace(again, seconds=0.0) == replace(again, busy=(0.0,), seconds=0.0)
    assert again.states == {}


@pytest.mark.parametrize("sampler", ["tpe", "random", "cma-es", "qmc"])
def test_a_point_that_has_diverged_is_not_tried_again_after_a_resume_either(
    tmp_path: Path, sampler: str
) -> None:
    file = changed(
        search={"sampler": sampler, "trials": 12},
        train={"epochs": EPOCHS, "batch_size": 32, "learning_rate": 1e-3},
        model={"timesteps": {"int": [10, 13]}, "schedule": "cosine", "network": "cnn"},
    )

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        failure = "diverged" if picks["model.timesteps"] != 12 else ""
        return Curve([Point(100, 30.0, 1.0, failure=failure)] * EPOCHS)

    storage = in_folder(tmp_path)
    study = parse_study(file)
    simulate(study, storage, curves, lanes=1, faults=[Interrupt(300.0)])
    before = len(table(storage, "trials"))
    assert 0 < before < 12
    simulate(study, storage, curves, lanes=1, resume=True)
    trials = table(storage, "trials")
    assert len(trials) == 12
    failed = [row["picks"] for row in trials if row["state"] == "failed"]
    assert len(failed) == len({*failed}) == 3


def test_a_study_ends_when_every_point_has_diverged(tmp_path: Path) -> None:
    file = changed(
        search={"sampler": "tpe", "trials": 9},
        train={"batch_size": 32, "learning_rate": 1e-3},
        model={"timesteps": {"choice": [10, 20]}, "schedule": "cosine", "network": "cnn"},
    )
    events: list[Event] = []
    storage = in_folder(tmp_path)

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        return Curve([Point(100, 30.0, None, failure="diverged")])

    simulate(parse_study(file), storage, curves, lanes=1, listeners=[events.append])
    assert len(table(storage, "trials")) == 2
    stopped = [event for event in events if isinstance(event, SearchStopped)]
    assert [str(event) for event in stopped] == [
        "the search ends after 2 of 9 trials: all 2 points of the space have failed"
    ]
    simulate(parse_study(file), storage, curves, lanes=1, resume=True, listeners=[events.append])
    assert len(table(storage, "trials")) == 2
    assert events[-1] == stopped[0]
