from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyarrow import parquet
from simulated import EPOCHS, content, grid_study, in_folder, learning, table

from study.driver.retry import RetryPolicy
from study.results.storage import Storage
from study.simulation.faults import (
    Fault,
    Interrupt,
    LaneLoss,
    Preemption,
    StorageOutage,
    WorkerDeath,
)
from study.simulation.lanes import Timing
from study.simulation.run import simulate

FINALISTS = {"top": 2, "training_seeds": 2, "sampling_seeds": 2}
FOREVER = RetryPolicy(worker_deaths=10**6, lane_losses=10**6)
EPOCH = 40.0  # a little more than an epoch with its score takes


def run(folder: Path, *faults: Fault, trials: int = 1, lanes: int = 1, **more: Any) -> Storage:
    storage = in_folder(folder)
    simulate(grid_study(trials=trials), storage, learning(), lanes=lanes, faults=faults, **more)
    return storage


def recorded(storage: Storage) -> dict[str, list[dict[str, Any]]]:
    """What a ledger says of training and scores, whenever and wherever that took place."""
    elsewhere = ("written", "sequence", "started", "ended", "lane")
    return {
        name: [{n: v for n, v in row.items() if n not in elsewhere} for row in rows]
        for name, rows in content(storage).items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", [WorkerDeath, Preemption, LaneLoss])
@pytest.mark.parametrize("seed", range(3))
def test_faults_lose_no_report_and_count_no_epoch_twice(
    tmp_path: Path, kind: type[WorkerDeath | Preemption | LaneLoss], seed: int
) -> None:
    source = Random(seed)
    faults = [kind(source.uniform(0, 1500), source.randrange(3)) for _ in range(25)]
    whole = run(tmp_path / "whole", trials=8, lanes=3)
    storage = run(tmp_path / "faults", *faults, trials=8, lanes=3, retry=FOREVER)
    assert recorded(storage) == recorded(whole)
    # Every row that was ever written, and not only the newest of each key.
    written = parquet.read_table(tmp_path / "faults" / "small" / "reports")
    epochs = sorted(zip(*(written[name].to_pylist() for name in ("trial", "epoch")), strict=True))
    assert epochs == [(trial, epoch) for trial in range(8) for epoch in range(1, EPOCHS + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("finalists", [None, FINALISTS])
def test_whatever_happens_every_trial_ends(
    tmp_path: Path, seed: int, finalists: dict[str, Any] | None
) -> None:
    source, kinds = Random(seed), (WorkerDeath, Preemption, LaneLoss)
    faults = [source.choice(kinds)(source.uniform(0, 3000), source.randrange(3)) for _ in range(80)]
    storage = in_folder(tmp_path)
    study = grid_study(trials=8, pruner="asha", finalists=finalists)
    simulate(study, storage, learning(), lanes=3, faults=faults, retry=RetryPolicy(1, 1))
    states = {row["state"] for row in table(storage, "trials")}
    assert states <= {"complete", "pruned", "failed"}
    assert "failed" in states
    assert len(table(storage, "trials")) >= 8
    written = parquet.read_table(tmp_path / "small" / "reports")
    assert written.num_rows == len(table(storage, "reports"))


def test_a_lane_may_be_lost_while_its_workers_restart_for_the_next_trial(tmp_path: Path) -> None:
    faults = [WorkerDeath(100.0, 0), LaneLoss(104.0, 0)]
    storage = run(tmp_path, *faults, trials=2, retry=RetryPolicy(0, 1))
    first, second = table(storage, "trials")
    assert (first["state"], first["reason"]) == ("failed", "its workers died 1 times")
    assert (second["state"], second["lane"]) == ("complete", "lane-1")


def test_a_death_costs_what_was_trained_since_the_last_report_and_the_restart(
    tmp_path: Path,
) -> None:
    whole = run(tmp_path / "whole")
    ends = [row["ended"] for row in table(whole, "trials")]
    # The second report comes at 25 + 2 * (30.. + 5); 20 s later the workers die.
    at = 25.0 + 2 * (table(whole, "reports")[0]["seconds"] + 5.0) + 20.0
    died = run(tmp_path / "died", WorkerDeath(at, 0))
    (late,) = [
        (row["ended"] - ended).total_seconds()
        for row, ended in zip(table(died, "trials"), ends, strict=True)
    ]
    assert late == pytest.approx(20.0 + 9.0, abs=1e-4)


def test_a_trial_fails_when_its_workers_have_died_too_often(tmp_path: Path) -> None:
    deaths = [WorkerDeath(25.0 + EPOCH * number, 0) for number in range(1, 5)]
    storage = run(tmp_path / "three", *deaths[:3], trials=2)
    assert [row["state"] for row in table(storage, "trials")] == ["complete"] * 2
    storage = run(tmp_path / "four", *deaths, trials=2)
    first, second = table(storage, "trials")
    assert (first["state"], first["reason"]) == ("failed", "its workers died 4 times")
    assert 0 < first["epoch"] < EPOCHS
    assert [r["epoch"] for r in table(storage, "reports") if r["trial"] == 0] == [
        *range(1, first["epoch"] + 1)
    ]
    assert (second["state"], second["lane"]) == ("complete", "lane-0")
    # It failed at once, but the next trial had to wait for the workers to be up again.
    failed = (first["ended"] - first["started"]).total_seconds()
    assert failed == pytest.approx(deaths[3].seconds, abs=1e-4)
    spent = second["train_seconds"] + second["score_seconds"]
    waited = (second["ended"] - first["ended"]).total_seconds() - spent
    assert waited == pytest.approx(9.0, abs=1e-4)


def test_preemptions_do_not_count(tmp_path: Path) -> None:
    faults = [Preemption(25.0 + EPOCH * number, 0) for number in range(1, 12)]
    storage = run(tmp_path, *faults, retry=RetryPolicy(worker_deaths=0))
    (trial,) = table(storage, "trials")
    assert (trial["state"], trial["epoch"]) == ("complete", EPOCHS)


def test_deaths_count_by_trial(tmp_path: Path) -> None:
    deaths = [WorkerDeath(25.0 + EPOCH * number, 0) for number in range(1, 40)]
    storage = run(tmp_path, *deaths, trials=4, retry=RetryPolicy(worker_deaths=1))
    assert [row["reason"] for row in table(storage, "trials")] == ["its workers died 2 times"] * 4


def test_a_trial_moves_to_a_new_lane_when_its_own_is_lost(tmp_path: Path) -> None:
    storage = run(tmp_path, LaneLoss(100.0, 1), trials=4, lanes=2)
    lanes = {row["trial"]: row["lane"] for row in table(storage, "trials")}
    assert (lanes[0], lanes[1]) == ("lane-0", "lane-2")
    before = [row["lane"] for row in table(storage, "reports") if row["trial"] == 1]
    assert before == ["lane-1"] * 2 + ["lane-2"] * (EPOCHS - 2)


def test_a_trial_is_given_up_when_it_has_lost_too_many_lanes(tmp_path: Path) -> None:
    losses = [LaneLoss(60.0 * number, 0) for number in range(1, 4)]
    storage = run(tmp_path / "two", *losses[:2], trials=2)
    assert [row["state"] for row in table(storage, "trials")] == ["complete"] * 2
    storage = run(tmp_path / "three", *losses, trials=2)
    first, second = table(storage, "trials")
    assert (first["state"], first["reason"]) == ("failed", "lane lost: 3 times")
    assert (second["state"], second["lane"]) == ("complete", "lane-3")
    wait = (second["started"] - first["ended"]).total_seconds()
    assert wait == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("kind", [WorkerDeath, LaneLoss])
def test_a_lane_that_trains_nothing_has_nothing_to_lose(
    tmp_path: Path, kind: type[WorkerDeath | LaneLoss]
) -> None:
    # A rest while the other lane's last trial runs, and a moment between two trials.
    whole = run(tmp_path / "whole", trials=2)
    between = table(whole, "trials")[1]["started"] - table(whole, "trials")[0]["started"]
    at = between.total_seconds() - 0.1
    storage = run(tmp_path / "died", kind(at, 0), trials=2, retry=RetryPolicy(0, 0))
    assert [row["state"] for row in table(storage, "trials")] == ["complete"] * 2
    finalists = {"top": 1, "training_seeds": 2, "sampling_seeds": 1}
    rested = in_folder(tmp_path / "rested")
    result = simulate(
        grid_study(trials=3, finalists=finalists), rested, learning(), lanes=2,
        faults=[kind(500.0, 1)], retry=RetryPolicy(0, 0), timing=Timing(start=1.0),
    )  # fmt: skip
    assert result.states == {"complete": 5}


def test_a_lane_that_is_not_up_yet_cannot_die(tmp_path: Path) -> None:
    storage = run(tmp_path, WorkerDeath(24.0, 0), retry=RetryPolicy(worker_deaths=0))
    assert [row["state"] for row in table(storage, "trials")] == ["complete"]


OUTAGES = {
    "full": {},
    "away": {"reads": True},
    "answers are lost": {"writes_arrive": True},
}


@pytest.mark.parametrize("kind", OUTAGES)
@pytest.mark.parametrize("lanes", [1, 3])
def test_a_storage_that_fails_for_a_while_loses_nothing(
    tmp_path: Path, kind: str, lanes: int
) -> None:
    outages = [StorageOutage(at, at + 130.0, **OUTAGES[kind]) for at in (20.0, 200.0, 610.0)]
    whole = run(tmp_path / "whole", trials=6, lanes=lanes, flush_seconds=None)
    storage = run(tmp_path / "faults", *outages, trials=6, lanes=lanes, flush_seconds=None)
    assert recorded(storage) == recorded(whole)
    ends = [max(row["ended"] for row in table(one, "trials")) for one in (whole, storage)]
    assert 100 < (ends[1] - ends[0]).total_seconds() < 3 * 160  # nothing was trained meanwhile


def test_no_trial_goes_past_a_report_that_is_not_recorded(tmp_path: Path) -> None:
    outage = StorageOutage(100.0, 1100.0)
    storage = run(tmp_path, outage, trials=3, lanes=3, flush_seconds=None)
    moments = sorted(row["written"] for row in table(storage, "reports"))
    start = moments[0].replace(hour=0, minute=0, second=0, microsecond=0)
    meanwhile = [m for m in moments if 100 < (m - start).total_seconds() < 1100]
    assert len(meanwhile) <= 3  # one a lane


def test_an_outage_in_the_finals_and_a_resume_after_one(tmp_path: Path) -> None:
    study = grid_study(trials=4, finalists=FINALISTS)
    whole, storage = in_folder(tmp_path / "whole"), in_folder(tmp_path / "faults")
    simulate(study, whole, learning(), lanes=2, flush_seconds=None)
    faults = [StorageOutage(300.0, 900.0, reads=True), Interrupt(1000.0)]
    simulate(study, storage, learning(), lanes=2, flush_seconds=None, faults=faults)
    assert "running" in {row["state"] for row in table(storage, "trials")}
    later = [StorageOutage(400.0, 800.0, reads=True), StorageOutage(0.0, 90.0)]
    simulate(study, storage, learning(), lanes=2, flush_seconds=None, faults=later, resume=True)
    assert recorded(storage)["scores"] == recorded(whole)["scores"]
    assert {row["state"] for row in table(storage, "trials")} == {"complete"}
