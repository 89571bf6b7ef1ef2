from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState
from stages import Stage, report
from study_trees import changed, parse_study

from study.driver.conductor import Unfinished
from study.driver.events import TrialStarted
from study.driver.finals import Candidate, FinalRunState, Race, sampling_seeds
from study.driver.messages import Assignment, Report, Rest, ScoreResult
from study.driver.resume import read_earlier_run
from study.search import trial_seed
from study.spec.finalists import Finalists

FINALISTS = {"top": 2, "training_seeds": 3, "sampling_seeds": 2, "samples": 64, "steps": 7}


def stage_with(folder: Path, **finalists: Any) -> Stage:
    file = changed(search={"trials": 3})
    return Stage(folder, parse_study({**file, "finalists": {**FINALISTS, **finalists}}))


def search_all(stage: Stage, values: tuple[float, ...] = (3.0, 1.0, 2.0)) -> None:
    for value in values:
        number = stage.start().number
        stage.report(number, 9, value, "done")
        stage.conductor.release(number)


def final_report(number: int, values: tuple[float, ...], outcome: Any = "done") -> Report:
    scores = [
        ScoreResult(9, "fd_pixels", value, 64, "ddim", 7, seed, "embedder", "real", 0.5, 0.1)
        for seed, value in enumerate(values)
    ]
    return Report(
        number, outcome, 9, 900, 2.0, 0.5,
        score=scores[0] if scores else None, more=tuple(scores[1:]),
    )  # fmt: skip


def finish(stage: Stage, number: int, values: tuple[float, ...]) -> None:
    assert not stage.conductor.report(final_report(number, values))
    stage.conductor.release(number)


def test_the_best_of_the_search_are_trained_again(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    first = stage.start()
    assert first.number == 3  # numbered after the search
    started = [event for event in stage.events if isinstance(event, TrialStarted)]
    assert started[-1].repeats == 1  # the best
    searched = stage.table("trials")[1]
    # The same configuration with a seed of its own, scored by what `finalists` says.
    spec, before = first.spec.model_dump(mode="json"), json.loads(searched["spec"])
    assert (spec["model"], spec["train"], spec["data"]) == (
        before["model"],
        before["train"],
        before["data"],
    )
    assert (spec["score"]["samples"], spec["score"]["steps"]) == (64, 7)
    assert first.seed == trial_seed(0, 3)
    assert first.seed != searched["seed"]
    assert first.sampling_seeds == (trial_seed(first.seed, 0), trial_seed(first.seed, 1))
    second = stage.start()
    assert stage.events[-1] == TrialStarted(4, second.spec and stage.picks(2), 2)


def test_a_final_runs_rows_say_what_it_is(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    number = stage.start().number
    assert stage.conductor.report(final_report(number, (), "running"))  # scored at its end alone
    finish(stage, number, (1.5, 1.7))
    row = stage.table("trials")[number]
    assert (row["stage"], row["repeats"], row["state"]) == ("final", 1, "complete")
    assert row["value"] == pytest.approx(1.6)  # the mean over its sampling seeds
    scores = [score for score in stage.table("scores") if score["trial"] == number]
    assert [(s["stage"], s["seed"], s["value"], s["spread"]) for s in scores] == [
        ("final", 0, 1.5, 0.1),
        ("final", 1, 1.7, 0.1),
    ]
    assert [row["stage"] for row in stage.table("trials")[:3]] == ["search"] * 3
    assert len(stage.search.trials) == 3  # nothing of it reaches the search
    assert stage.conductor.best == (1.0, 1)


def test_it_waits_for_the_searchs_last_trial(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    numbers = [stage.start().number, stage.start().number]
    stage.report(numbers[0], 9, 2.0, "done")
    stage.conductor.release(numbers[0])
    third = stage.start().number
    stage.report(third, 9, 3.0, "done")
    stage.conductor.release(third)
    rest = stage.conductor.next_trial()
    assert rest == Rest(-1, ended=2)  # its lane is kept until the third trial has ended
    assert stage.conductor.next_trial() is None  # no lane is free
    stage.report(numbers[1], 9, 1.0, "done")
    stage.conductor.release(numbers[1])
    assert stage.conductor.ended == 3
    assert not stage.conductor.report(Report(-1, "done", 0, 0, 0.0, 0.0))
    stage.conductor.release(-1)
    stage.start()
    assert stage.events[-1].repeats == 1  # type: ignore[union-attr]


def test_seeds_are_spent_where_the_order_is_open(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    while isinstance(assignment := stage.conductor.next_trial(), Assignment):
        repeats = stage.events[-1].repeats  # type: ignore[union-attr]
        noise = assignment.number / 1000
        finish(stage, assignment.number, (repeats + noise, repeats + noise))
    assert stage.conductor.finished
    # Two each; then trial 1 is clearly better than trial 2, and the rest of the budget is saved.
    assert [row["repeats"] for row in stage.table("trials")] == [None] * 3 + [1, 2, 1, 2]


def test_a_lane_rests_while_the_first_round_is_in_hand(tmp_path: Path) -> None:
    stage = Stage(
        tmp_path,
        parse_study({**changed(search={"trials": 3}), "finalists": FINALISTS}),
        lanes=5,
    )
    numbers = [stage.start().number for _ in range(3)]
    assert isinstance(stage.conductor.next_trial(), Rest)
    for number in numbers:
        stage.report(number, 9, 1.0 + number, "done")
        stage.conductor.release(number)
    first_round = [stage.start().number for _ in range(4)]  # and the fifth lane rests still
    stage.conductor.release(-1)
    assert isinstance(stage.conductor.next_trial(), Rest)
    for number in first_round:
        finish(stage, number, (1.0, 1.0 + number / 10))
    assert stage.start().number == 7


def test_an_open_order_spends_the_whole_budget(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    while isinstance(assignment := stage.conductor.next_trial(), Assignment):
        noise = (assignment.number * 7 % 5) / 10
        finish(stage, assignment.number, (1 + noise, 1 + noise))
    assert len(stage.table("trials")) == 3 + 2 * 3


def test_a_final_run_that_fails_is_not_repeated_for_ever(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    while isinstance(assignment := stage.conductor.next_trial(), Assignment):
        stage.conductor.report(report(assignment.number, 1, None, "failed", reason="diverged"))
        stage.conductor.release(assignment.number)
    assert stage.conductor.finished
    rows = stage.table("trials")[3:]
    assert [row["state"] for row in rows] == ["failed"] * 4


def test_no_finals_without_a_complete_trial(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    for _ in range(3):
        number = stage.start().number
        stage.report(number, 1, None, "failed", reason="diverged")
        stage.conductor.release(number)
    assert stage.conductor.next_trial() is None
    assert stage.conductor.finished


def test_what_happened_is_read_back(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    ended, failed, in_hand = (None, None, None)
    ended = stage.start().number
    finish(stage, ended, (1.5, 1.7))
    failed = stage.start().number
    stage.conductor.report(report(failed, 1, None, "failed", reason="diverged"))
    stage.conductor.release(failed)
    assignment = stage.start()
    in_hand = assignment.number
    stage.conductor.interrupt()
    stage.conductor.report(report(in_hand, 0, None, "interrupted"))
    earlier = read_earlier_run(stage.storage, "small")
    assert len(earlier.trials) == 3
    assert earlier.finals == (
        FinalRunState(ended, 1, (1.5, 1.7)),
        FinalRunState(failed, 2, ()),
        FinalRunState(in_hand, 1, None),
    )
    (unfinished,) = earlier.unfinished
    assert unfinished.assignment == assignment
    assert unfinished.row.repeats == 1


def test_a_resumed_race_goes_on_as_it_would_have(tmp_path: Path) -> None:
    settings = Finalists(top=2, training_seeds=3)
    candidates = [Candidate(number, None, {}) for number in (1, 2)]  # type: ignore[arg-type]
    whole = Race(settings, 3, lambda: candidates)
    handed: list[tuple[int, int]] = []

    def follow(finals: Race, most: int) -> None:
        while len(handed) < most and (chosen := finals.next()) is not None:
            number, candidate = chosen
            handed.append((number, candidate.number))
            finals.end(number, (1 + number % 3,))

    follow(whole, 99)
    complete, handed = handed, []
    begun = Race(settings, 3, lambda: candidates)
    follow(begun, 3)
    past = [FinalRunState(number, one, (1 + number % 3,)) for number, one in handed]
    follow(Race(settings, 3, lambda: candidates, past), 99)
    assert handed == complete
    assert len(complete) == 6


def test_sampling_seeds_are_the_runs_own() -> None:
    settings = Finalists(sampling_seeds=3)
    seeds = {seed for run in range(10) for seed in sampling_seeds(settings, run)}
    assert len(seeds) == 30


def test_unfinished_final_runs_go_on_first(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    assignment: Assignment = stage.start()
    stage.conductor.interrupt()
    stage.conductor.report(report(assignment.number, 2, None, "interrupted"))
    earlier = read_earlier_run(stage.storage, "small")
    (tmp_path / "again").mkdir()
    again = Stage(
        tmp_path / "again",
        parse_study({**changed(search={"trials": 3}), "finalists": FINALISTS}),
        unfinished=[Unfinished(one.row, one.assignment) for one in earlier.unfinished],
    )
    assert again.start() == assignment


def test_a_score_that_is_no_number_fails_its_run_for_good(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    number = stage.start().number
    finish(stage, number, (1.5, math.nan))
    row = stage.table("trials")[number]
    assert (row["state"], row["reason"]) == ("failed", "the score is nan")
    (run,) = read_earlier_run(stage.storage, "small").finals
    assert run == FinalRunState(number, 1, ())


def test_what_finalists_override_is_what_the_row_says(tmp_path: Path) -> None:
    file = changed(
        search={"trials": 2},
        score={"steps": {"int": [2, 9]}, "sampler": {"choice": ["ddim", "ancestral"]}},
    )
    stage = Stage(tmp_path, parse_study({**file, "finalists": {"top": 1, "steps": 10}}))
    search_all(stage, (1.0, 2.0))
    number = stage.start().number
    searched, final = stage.table("trials")[0], stage.table("trials")[number]
    assert searched["config.score.steps"] <= 9
    assert final["config.score.steps"] == 10
    assert "score.steps" not in stage.picks(number)
    assert final["config.score.sampler"] == searched["config.score.sampler"]


def test_of_several_objectives_the_front_is_trained_again(tmp_path: Path) -> None:
    file = changed(search={"trials": 3, "objectives": ["score", "steps"]})
    file["score"]["steps"] = {"int": [2, 9]}
    file["search"]["enqueue"] = [{"score.steps": 9}, {"score.steps": 8}, {"score.steps": 2}]
    finalists = {"top": 3, "training_seeds": 1}
    stage = Stage(tmp_path, parse_study({**file, "finalists": finalists}))
    for value, steps in ((3.0, 9), (1.0, 8), (2.0, 2)):  # the first is worse in both
        number = stage.start().number
        stage.report(number, 9, value, "done", steps=steps)
        stage.conductor.release(number)
    repeated = []
    while isinstance(assignment := stage.conductor.next_trial(), Assignment):
        repeated.append(stage.events[-1].repeats)  # type: ignore[union-attr]
        finish(stage, assignment.number, (1.0, 1.1))
    assert repeated == [1, 2]


def test_a_final_run_whose_lane_is_lost_failed_and_the_race_goes_on(tmp_path: Path) -> None:
    stage = stage_with(tmp_path)
    search_all(stage)
    number = stage.start().number
    stage.conductor.lose(number, "lane lost: killed")
    stage.conductor.release(number)
    row = stage.table("trials")[number]
    assert (row["state"], row["reason"], row["stage"]) == ("failed", "lane lost: killed", "final")
    following = [stage.start().number, stage.start().number]
    assert following == [number + 1, number + 2]
    assert all(trial.state == TrialState.COMPLETE for trial in stage.search.trials)
