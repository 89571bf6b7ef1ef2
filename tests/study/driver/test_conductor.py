from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState
from stages import Stage, report
from study_trees import changed, parse_study, tree

from study.driver.conductor import Unfinished
from study.driver.events import TrialEnded, TrialReported, TrialStarted
from study.driver.messages import Report, StoredFile, left_open
from study.results.reader import read_rows
from study.results.tables import TrialRow

CHECKPOINT = StoredFile("small/checkpoints/0/1.pt", 10)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_trial_that_runs_to_its_end_leaves_its_rows(stage: Stage) -> None:
    number = stage.start().number
    checkpoint = StoredFile("small/checkpoints/0/1.pt", 10)
    samples = StoredFile("small/samples/0/1.png", 20)
    assert stage.report(number, 1, 3.0, "running", checkpoint=checkpoint, samples=samples)
    assert not stage.report(
        number, 2, 2.0, "done", checkpoint=StoredFile("small/checkpoints/2", 11)
    )
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"], trial["value"], trial["epoch"]) == (
        "complete",
        "",
        2,
        2,
    )
    assert (trial["images_seen"], trial["parameters"]) == (200, 123)
    assert (trial["train_seconds"], trial["score_seconds"]) == (4.0, 1.0)
    assert (trial["lane"], trial["host"]) == ("lane 0", "here")
    assert (trial["data_digest"], trial["code_digest"]) == ("digits", "code")
    assert trial["checkpoint"] == "small/checkpoints/2"
    assert trial["ended"] >= trial["started"]
    reports = stage.table("reports")
    assert [(r["epoch"], r["loss"], r["value"]) for r in reports] == [(1, 1.0, 3.0), (2, 0.5, 2.0)]
    scores = stage.table("scores")
    assert [(s["epoch"], s["stage"], s["value"]) for s in scores] == [
        (1, "search", 3.0),
        (2, "search", 2.0),
    ]
    assert {(s["metric"], s["embedder"], s["reference"], s["samples"]) for s in scores} == {
        ("fd_pixels", "embedder", "real", 16)
    }
    artifacts = stage.table("artifacts")
    assert {(a["kind"], a["path"]) for a in artifacts} == {
        ("samples", "small/samples/0/1.png"),
        ("checkpoint", "small/checkpoints/2"),
    }
    assert stage.search.trials[0].state == TrialState.COMPLETE
    assert stage.search.trials[0].value == 2.0


def test_a_row_is_enough_to_run_the_trial_again(stage: Stage) -> None:
    assignment = stage.start()
    (trial,) = stage.table("trials")
    assert trial["state"] == "running"
    assert json.loads(trial["spec"]) == assignment.spec.model_dump(mode="json")
    assert trial["seed"] == assignment.seed
    picks = json.loads(trial["picks"])
    assert picks == stage.search.trials[0].params
    assert {f"config.{name}": value for name, value in picks.items()}.items() <= trial.items()
    assert parse_study(tree()).spec(picks).digest() == trial["spec_hash"]


def test_rows_are_there_before_anybody_hears(tmp_path: Path) -> None:
    stage = Stage(tmp_path, watch=True)
    number = stage.start().number
    stage.report(number, 1, 3.0, "running")
    stage.report(number, 2, 2.0, "done")
    kinds = [type(event) for event in stage.events]
    assert kinds == [TrialStarted, TrialReported, TrialReported, TrialEnded]
    assert [seen["trials"][0]["state"] for seen in stage.seen] == [*["running"] * 3, "complete"]
    assert [len(seen["reports"]) for seen in stage.seen] == [0, 1, 2, 2]
    assert [len(seen["scores"]) for seen in stage.seen] == [0, 1, 2, 2]


def test_a_trial_that_diverged_failed(stage: Stage) -> None:
    number = stage.start().number
    stage.report(number, 1, 3.0, "running")
    assert not stage.report(number, 2, None, "failed", reason="diverged")
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"]) == ("failed", "diverged")
    assert trial["ended"] is not None
    assert stage.search.trials[0].state == TrialState.FAIL


def collapsed(number: int, epoch: int, outcome: str) -> Report:
    full = report(number, epoch, 3.0, outcome)
    assert full.score is not None
    return replace(full, score=replace(full.score, collapsed=True))


@pytest.mark.parametrize("fail", [False, True])
def test_a_collapsed_trial_is_failed_at_its_end_where_the_study_says_so(
    tmp_path: Path, fail: bool
) -> None:
    stage = Stage(tmp_path, parse_study(changed(search={"fail_collapsed": fail})))
    number = stage.start().number
    assert stage.conductor.report(collapsed(number, 1, "running"))  # it may recover
    assert not stage.conductor.report(collapsed(number, 2, "done"))
    (trial,) = stage.table("trials")
    expected = ("failed", "collapsed") if fail else ("complete", "")
    assert (trial["state"], trial["reason"]) == expected
    assert trial["collapsed"] is True
    told = stage.search.trials[0].state
    assert told == (TrialState.FAIL if fail else TrialState.COMPLETE)


def test_a_collapsed_trial_is_not_pruned_but_failed(tmp_path: Path) -> None:
    pruner = {"kind": "threshold", "upper": 1.0}
    search = {"fail_collapsed": True, "pruner": pruner}
    stage = Stage(tmp_path, parse_study(changed(search=search)))
    number = stage.start().number
    assert not stage.conductor.report(collapsed(number, 1, "running"))
    assert stage.table("trials")[0]["reason"] == "collapsed"
    assert stage.search.trials[0].state == TrialState.FAIL


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
@pytest.mark.parametrize("outcome", ["running", "done"])
def test_a_score_that_is_no_number_fails_its_trial(
    stage: Stage, value: float | None, outcome: str
) -> None:
    number = stage.start().number
    assert not stage.report(number, 1, value, outcome)
    (trial,) = stage.table("trials")
    assert trial["state"] == "failed"
    assert trial["reason"] == f"the score is {value}"
    told = stage.search.trials[0]
    assert told.state == TrialState.FAIL
    assert told.intermediate_values == {}
    assert stage.conductor.best is None


def test_a_report_of_an_ended_trial_is_refused(stage: Stage) -> None:
    number = stage.start().number
    stage.report(number, 1, 2.0, "done")
    before, heard = stage.table("reports"), len(stage.events)
    assert not stage.report(number, 2, 1.0, "running")
    assert not stage.report(99, 1, 1.0, "running")
    assert stage.table("reports") == before
    assert len(stage.events) == heard
    assert stage.conductor.best == (2.0, number)


def test_a_pruned_trial_says_by_whom_and_when(tmp_path: Path) -> None:
    pruner = {"kind": "threshold", "upper": 5.0, "warmup_epochs": 1}
    stage = Stage(tmp_path, parse_study(changed(search={"pruner": pruner})))
    number = stage.start().number
    assert stage.report(number, 1, 4.0, "running")
    assert not stage.report(number, 2, 6.0, "running")
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"]) == ("pruned", "threshold at epoch 2")
    assert trial["value"] == 6.0
    assert stage.search.trials[0].state == TrialState.PRUNED


def test_a_trial_at_its_end_is_complete_whatever_the_pruner_thinks(tmp_path: Path) -> None:
    pruner = {"kind": "threshold", "upper": 5.0}
    stage = Stage(tmp_path, parse_study(changed(search={"pruner": pruner})))
    stage.report(stage.start().number, 1, 6.0, "done")
    assert stage.table("trials")[0]["state"] == "complete"


def test_an_interrupted_trial_stays_running(stage: Stage) -> None:
    first, second = stage.start().number, stage.start().number
    stage.conductor.interrupt()
    checkpoint = StoredFile("small/checkpoints/0", 10)
    assert not stage.report(first, 0, None, "interrupted", checkpoint=checkpoint)
    assert not stage.report(second, 1, 3.0, "running")  # it was just reporting
    for trial in stage.table("trials"):
        assert (trial["state"], trial["reason"]) == ("running", "interrupted")
        assert trial["ended"] is None
    assert [trial.state for trial in stage.search.trials] == [TrialState.RUNNING] * 2
    assert stage.conductor.finished
    assert stage.conductor.next_trial() is None
    assert {e.state for e in stage.events if isinstance(e, TrialEnded)} == {"running"}


def test_a_trial_that_ends_while_we_stop_has_ended(stage: Stage) -> None:
    number = stage.start().number
    stage.conductor.interrupt()
    stage.report(number, 9, 3.0, "done")
    assert stage.table("trials")[0]["state"] == "complete"


def test_an_unfinished_trial_goes_on_first(tmp_path: Path) -> None:
    (before := tmp_path / "before").mkdir()
    earlier = Stage(before)
    assignment = earlier.start()
    earlier.conductor.interrupt()
    checkpoint = StoredFile("small/checkpoints/0/3.pt", 10)
    earlier.report(assignment.number, 3, 3.0, "interrupted", checkpoint=checkpoint)
    (known,) = read_rows(earlier.storage, TrialRow, "small")
    stage = Stage(tmp_path / "after", unfinished=[Unfinished(known, assignment)])
    assert stage.start() == assignment
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"], trial["epoch"]) == ("running", "", 3)
    assert trial["started"] == known.started


def test_an_interrupt_before_its_workers_are_up_leaves_a_trials_row_as_it_was(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    number = stage.start().number
    checkpoint = StoredFile("small/checkpoints/0/3.pt", 10)
    stage.report(number, 3, 3.0, "running", checkpoint=checkpoint)
    stage.conductor.interrupt()
    stage.conductor.report(Report(number, "interrupted", 0, 0, 0.0, 0.0))
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"]) == ("running", "interrupted")
    assert (trial["epoch"], trial["images_seen"], trial["value"]) == (3, 300, 3.0)
    assert trial["checkpoint"] == checkpoint.name


def test_no_more_trials_than_lanes_and_no_more_than_planned(stage: Stage) -> None:
    stage.start()
    stage.start()
    assert stage.conductor.next_trial() is None
    assert not stage.conductor.finished
    for number in range(4):
        stage.report(number, 1, 1.0, "done")
        stage.conductor.release(number)
        if number < 2:
            assert stage.start().number == number + 2
    assert stage.conductor.next_trial() is None
    assert stage.conductor.finished


def test_a_trial_whose_lane_is_lost_failed(stage: Stage) -> None:
    number = stage.start().number
    stage.report(number, 1, 3.0, "running")
    stage.conductor.lose(number, "lane lost: killed")
    stage.conductor.lose(number, "again")
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"]) == ("failed", "lane lost: killed")
    assert stage.search.trials[0].state == TrialState.FAIL


def test_a_combination_that_is_invalid_fails_its_trial_and_the_next_one_runs(
    tmp_path: Path,
) -> None:
    file = changed(
        search={
            "trials": 2,
            "enqueue": [
                {"model.timesteps": 10, "model.schedule": "constant"},
                {"model.timesteps": 100, "model.schedule": "cosine"},
            ],
        }
    )
    file["model"]["timesteps"] = {"choice": [100, 10]}
    file["model"]["schedule"] = {
        "choice": [
            {"kind": "cosine"},
            {"kind": "constant", "scaled": True, "beta": {"choice": [0.001, 0.02]}},
        ]
    }
    file["search"]["enqueue"][0]["model.schedule.constant.beta"] = 0.02
    stage = Stage(tmp_path, parse_study(file))
    assert stage.start().number == 1
    first, second = stage.table("trials")
    assert first["state"] == "failed"
    assert first["reason"].startswith("invalid: model.schedule.beta: 0.02 scaled by 1000 / 10")
    assert second["state"] == "running"
    assert stage.search.trials[0].state == TrialState.FAIL


def test_the_best_is_the_lowest_score_so_far(stage: Stage) -> None:
    first, second = stage.start().number, stage.start().number
    stage.report(first, 1, 3.0, "running")
    stage.report(second, 1, 4.0, "running")
    stage.report(second, 2, 2.0, "running")
    stage.report(second, 3, 2.5, "running")
    stage.report(first, 2, 2.0, "done")
    assert stage.conductor.best == (2.0, second)
    best = [event.best for event in stage.events if isinstance(event, TrialReported)]
    assert best == [True, False, True, False, False]


def test_several_objectives_are_told_in_their_order(tmp_path: Path) -> None:
    objectives = ["train_seconds", "score", "parameters"]
    file = changed(search={"sampler": "tpe", "objectives": objectives})
    stage = Stage(tmp_path, parse_study(file))
    number = stage.start().number
    assert stage.report(number, 1, 3.0, "running")
    stage.report(number, 2, 2.0, "done")
    assert stage.search.trials[0].values == [4.0, 2.0, 123.0]
    assert stage.table("trials")[0]["state"] == "complete"


def test_a_report_that_is_handed_in_twice_counts_once(stage: Stage) -> None:
    number = stage.start().number
    assert stage.conductor.report(report(number, 1, 3.0, "running"))
    assert stage.conductor.report(report(number, 1, 3.0, "running"))
    assert sum(isinstance(event, TrialReported) for event in stage.events) == 1
    assert stage.conductor.report(report(number, 2, 2.0, "running"))
    assert [row["epoch"] for row in stage.table("reports")] == [1, 2]


def test_a_trial_whose_storage_is_away_stays_open_and_the_study_can_be_resumed(
    stage: Stage,
) -> None:
    number = stage.start().number
    first = report(number, 1, 3.0, "running", checkpoint=CHECKPOINT)
    assert stage.conductor.report(first)
    assert not stage.conductor.report(left_open(number, "the storage is away", first))
    (trial,) = stage.table("trials")
    assert (trial["state"], trial["reason"]) == ("running", "the storage is away")
    assert (trial["epoch"], trial["checkpoint"]) == (1, CHECKPOINT.name)
    assert stage.conductor.interrupted  # the run is not over with it
