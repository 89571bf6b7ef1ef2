from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from specs import RATES, plain, study_file
from trained_trials import trained

from study.check import forecast as forecasting
from study.check.costs import Costs, Line, SamplingCost, ScoringCost, TrainingCost
from study.check.forecast import (
    BETWEEN_SECONDS,
    END_SECONDS,
    NOISE,
    at_random,
    draw,
    forecast,
    starting_seconds,
)
from study.driver.trial_weights import trained_in
from study.results.storage import Storage
from study.search import Search
from study.spec import StudyFile, read_study_file


@pytest.fixture(autouse=True)
def few_simulations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "SIMULATIONS", 5)


class Fixed(Costs):
    """Every epoch takes 10 s and every score 2 s; of a network of two levels, ten times as much."""

    def epoch_seconds(self, spec: Any) -> float:
        return 10.0 * (10 if len(spec.model.network.channels) > 1 else 1)

    def score_seconds(self, spec: Any, score: Any) -> float:
        return 2.0


def study(trials: int = 12, epochs: int = 9, **sections: Any) -> StudyFile:
    network = {"kind": "unet", "channels": [8]}
    sections = {"model": {"network": network}, **sections}
    search = {"sampler": "random", "trials": trials, **sections.pop("search", {})}
    train = {**RATES, "epochs": epochs}
    return study_file(train=train, search=search, **sections)


def seconds(file: StudyFile, lanes: int, **options: Any) -> tuple[float, float]:
    """What lies between the start and the end, without the machine's noise."""
    times = forecast(file, Fixed(), lanes, starting=100.0, **options)
    assert times.starting == 100.0
    return times.low * NOISE - 100 - END_SECONDS, times.high / NOISE - 100 - END_SECONDS


@pytest.mark.parametrize(
    ("trials", "lanes", "waves"), [(12, 1, 12), (12, 4, 3), (13, 4, 4), (2, 5, 1)]
)
def test_without_a_pruner_there_is_no_luck_but_lanes_that_idle_at_the_end(
    trials: int, lanes: int, waves: int
) -> None:
    trial = 9 * 12.0
    expected = waves * trial + waves * BETWEEN_SECONDS
    assert seconds(study(trials), lanes) == pytest.approx((expected, expected), abs=0.01)


def test_every_branch_costs_by_how_often_it_is_drawn() -> None:
    channels = {"choice": [[8], [8, 16]]}
    file = study(40, model={"network": {"kind": "unet", "channels": channels}})
    low, high = seconds(file, 1)
    mean = 40 * 9 * (12.0 + 102.0) / 2
    assert 0.6 * mean < low < high < 1.4 * mean  # neither all short nor all long


def test_a_pruner_leaves_a_share_and_its_luck_is_a_range() -> None:
    file = study(24, search={"pruner": {"kind": "asha", "reduction_factor": 3}})
    low, high = seconds(file, 2)
    whole = seconds(file, 2, pruned=False)[0]
    assert 24 * 12.0 / 2 < low < high < whole
    assert 0.2 < (low + high) / 2 / whole < 0.6  # if all went on by thirds it would be 0.26


@pytest.mark.parametrize("kind", ["hyperband", "median", "percentile", "patient", "wilcoxon"])
def test_every_pruner_is_asked(kind: str) -> None:
    file = study(12, search={"pruner": {"kind": kind}})
    assert seconds(file, 2)[0] <= seconds(file, 2, pruned=False)[1]


def test_finals_follow_the_search_with_all_their_scores() -> None:
    finals = {"top": 2, "training_seeds": 2, "sampling_seeds": 3, "samples": 100}
    without = seconds(study(4), 2)[0]
    # Two lanes train four times, and score each with three seeds.
    assert seconds(study(4, finalists=finals), 2)[0] == pytest.approx(
        without + 2 * (9 * 10 + 3 * 2 + BETWEEN_SECONDS), abs=1.0
    )


def test_a_large_search_is_reckoned_from_a_small_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    ask = Search.ask

    def count(self: Search) -> Any:
        nonlocal asked
        asked += 1
        return ask(self)

    monkeypatch.setattr(Search, "ask", count)
    monkeypatch.setattr(forecasting, "SIMULATIONS", 2)
    low, _ = seconds(study(100_000), 4)
    assert asked <= 2 * (forecasting.MOST_TRIALS + 4)
    assert low == pytest.approx(100_000 / 4 * (9 * 12.0 + BETWEEN_SECONDS), rel=0.05)


def test_long_trainings_are_simulated_by_few_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecasting, "SIMULATIONS", 2)
    file = study(1000, epochs=5_000, score={"every": 2_500})
    low, _ = seconds(file, 1)
    assert low == pytest.approx(1000 * (50_000 + 2 * 2 + BETWEEN_SECONDS), rel=0.01)


def test_lanes_start_side_by_side_as_far_as_there_are_cores() -> None:
    assert starting_seconds(1, 8, 2.0) == starting_seconds(4, 16, 2.0) < starting_seconds(4, 2, 2.0)


def test_lanes_start_slowly_where_processes_do() -> None:
    assert starting_seconds(2, 2, 5.0) == 2 * starting_seconds(2, 2, 2.5)


def test_trials_are_drawn_as_at_the_start_with_the_starting_points_first() -> None:
    start = {"train.learning_rate": 0.005}
    drawn = draw(study(30, search={"sampler": "tpe", "enqueue": [start]}), 20)
    assert len(drawn) == 20
    assert drawn[0].train.learning_rate == 0.005
    assert len({one.train.learning_rate for one in drawn}) == 20
    often = draw(study(4, search={"enqueue": [start]}), 16)  # as if it were run four times
    assert [one.train.learning_rate == 0.005 for one in often] == [True, False, False, False] * 4
    grid = {"learning_rate": {"choice": [0.001, 0.002]}}
    few = draw(study_file(train=grid, search={"sampler": "grid", "trials": 9}), 20)
    assert [one.train.learning_rate for one in few] == [0.001, 0.002]


def sweep(folder: Path) -> StudyFile:
    """A sweep over a trained trial."""
    storage = Storage.from_uri(str(folder / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    trained(storage, 0)
    score = {"steps": {"int": [2, 40]}}
    file = {"name": "sweep", "weights": {"study": "small", "trial": 0}, "score": score}
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({**file, "search": {"trials": 6}}))
    return read_study_file(path, find_trial=trained_in(storage.uri))


def test_a_sweep_trains_nothing_and_scores_each_trial_once(tmp_path: Path) -> None:
    file = sweep(tmp_path)
    assert at_random(file).spec(file.corners[0].picks).train.epochs == 1
    drawn = draw(file, 3)
    assert all(one.weights is not None for one in drawn)

    class Scores(Costs):
        def score_seconds(self, spec: Any, score: Any) -> float:
            return 5.0

    times = forecast(file, Scores(), 2, starting=0.0)
    expected = 3 * (5.0 + BETWEEN_SECONDS) + END_SECONDS
    assert times.low * NOISE == pytest.approx(expected, abs=0.01)


def test_costs_that_were_measured_make_a_forecast() -> None:
    file = study(4)
    spec = file.study
    from study.check.costs import sampling_key, scoring_key, training_key

    costs = Costs(
        1,
        {training_key(spec): TrainingCost(10, Line(0.1, 0.0), validates=False)},
        {sampling_key(spec): SamplingCost(0.0, 0.001)},
        {scoring_key(spec, spec.score): ScoringCost()},
    )
    trial = sum(costs.trial_seconds(spec))
    times = forecast(file, costs, 1, starting=0.0)
    assert times.low * NOISE == pytest.approx(4 * (trial + BETWEEN_SECONDS) + END_SECONDS, abs=0.01)


def test_a_study_may_take_longer_than_the_calendar_has() -> None:
    class Endless(Costs):
        def epoch_seconds(self, spec: Any) -> float:
            return 1e15

        def score_seconds(self, spec: Any, score: Any) -> float:
            return 0.0

    assert forecast(study(2), Endless(), 1, starting=0.0).high == pytest.approx(2 * 9e15 * NOISE)


@pytest.mark.parametrize("every", [1, [{"until": 400, "samples": 10}, {"epochs": 2}]])
def test_many_scores_are_simulated_by_few_and_paid_all(
    monkeypatch: pytest.MonkeyPatch, every: Any
) -> None:
    reports = 0
    report = Search.report

    def count(self: Search, *arguments: Any, **more: Any) -> bool:
        nonlocal reports
        reports += 1
        return report(self, *arguments, **more)

    monkeypatch.setattr(Search, "report", count)
    monkeypatch.setattr(forecasting, "SIMULATIONS", 2)
    file = study(2, epochs=1000, score={"every": every})
    scores = len(file.study.scores)
    assert scores > 600
    low, _ = seconds(file, 1)
    assert reports <= 2 * 2 * forecasting.MOST_REPORTS
    assert low == pytest.approx(2 * (1000 * 10.0 + scores * 2.0 + BETWEEN_SECONDS), abs=0.1)
