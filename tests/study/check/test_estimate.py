from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from specs import RATES, study_file
from study_trees import changed, parse_study

from study.check import estimate as estimating
from study.check import forecast as forecasting
from study.check.costs import Line, SamplingCost, ScoringCost, TrainingCost
from study.check.crew import TooLarge, TooLong
from study.check.estimate import MOST_NETWORKS, Estimate, estimate, mean_cost, measure_costs
from study.driver.placement import Placement
from study.spec import Study, StudyFile

ONE = Placement(lanes=1, workers=1, cpus=1, gpus=0)
MEASURED = {
    "measure_training": TrainingCost(1000, Line(0.1, 0.0), 500.0, (2, 8), validates=False),
    "measure_sampling": SamplingCost(0.0, 0.001),
    "measure_scoring": ScoringCost(0.001, 2.0, 1.0, 0.5),
}


PROCESS = 2.0


class FakeCrew:
    """Answers at once; notes what it is asked for."""

    made: list[FakeCrew]
    answer: Callable[[str, tuple[Any, ...]], Any]

    def __init__(self, size: int, module: str, memory: float | None = None) -> None:
        self.size, self.memory, self.start_seconds = size, memory, PROCESS
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        FakeCrew.made.append(self)

    def __enter__(self) -> FakeCrew:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def call(self, function: str, *arguments: Any, seconds: float) -> list[Any]:
        assert seconds == estimating.MEASUREMENT_SECONDS
        self.calls.append((function, arguments))
        return [FakeCrew.answer(function, arguments)] * self.size


@pytest.fixture(autouse=True)
def crews(monkeypatch: pytest.MonkeyPatch) -> list[FakeCrew]:
    FakeCrew.made = []
    FakeCrew.answer = lambda function, arguments: MEASURED[function]  # type: ignore[assignment]
    monkeypatch.setattr(estimating, "Crew", FakeCrew)
    monkeypatch.setattr(estimating, "this_machine", lambda: {"CPU": 4.0})
    monkeypatch.setattr(forecasting, "SIMULATIONS", 3)
    return FakeCrew.made


def asked(crews: list[FakeCrew], function: str) -> list[tuple[Any, ...]]:
    (crew,) = crews
    return [arguments for name, arguments in crew.calls if name == function]


def answering(function: str, answer: Callable[[tuple[Any, ...]], Any]) -> None:
    def either(name: str, arguments: tuple[Any, ...]) -> Any:
        return answer(arguments) if name == function else MEASURED[name]

    FakeCrew.answer = either  # type: ignore[assignment]


def test_each_network_is_measured_once_with_its_smallest_and_largest_batch(
    crews: list[FakeCrew],
) -> None:
    file = parse_study(changed(search={"pruner": "asha"}))  # 3 schedules, 2 networks, 2 batches
    lines: list[str] = []
    cost = estimate(file, ONE, 4, lines.append)
    assert sorted(a[0].model.network.channels for a in asked(crews, "measure_training")) == [
        (8,), (8, 16),
    ]  # fmt: skip
    assert {a[1] for a in asked(crews, "measure_training")} == {(32, 64)}
    assert len(asked(crews, "measure_sampling")) == 2
    assert len(asked(crews, "measure_scoring")) == 1
    assert [line.partition(" (")[0] for line in lines] == [
        *["measuring training, batches of 32 to 64"] * 2,
        *["measuring sampling by ddim"] * 2,
        "measuring fd_pixels of 16 images",
        "simulating the study with these costs",
    ]
    assert {network.name for network in cost.networks} == {
        "ddpm unet channels=8", "ddpm unet channels=8,16",
    }  # fmt: skip
    assert sum(network.share for network in cost.networks) == pytest.approx(1)
    assert all(0.2 < network.share < 0.8 for network in cost.networks)
    assert cost.images == 4 * 9 * file.study.data.training_images
    assert cost.evaluations == 4 * 9 * 16 * 5
    assert not cost.at_most
    assert not cost.at_least
    assert cost.unpruned is not None
    assert cost.time.high < cost.unpruned.high
    assert cost.time.low <= cost.time.high


def of_channels(*options: list[int], **sections: Any) -> StudyFile:
    network = {"kind": "unet", "channels": {"choice": [*options]}}
    return study_file(model={"network": network}, **{"search": {"trials": 4}, **sections})


def test_a_dear_branch_is_paid_by_how_often_it_is_drawn() -> None:
    def dear(arguments: tuple[Any, ...]) -> TrainingCost:
        cost = MEASURED["measure_training"]
        assert isinstance(cost, TrainingCost)
        return replace(cost, batch=Line(0.1 * arguments[0].model.network.channels[0], 0.0))

    answering("measure_training", dear)
    cheap = estimate(of_channels([4], [4, 8]), ONE, 4).time
    mixed = estimate(of_channels([4], [400]), ONE, 4).time
    costly = estimate(of_channels([400], [400, 8]), ONE, 4).time
    assert cheap.high < mixed.low < mixed.high
    assert mixed.high < costly.high


def test_many_networks_are_bounded_and_the_rest_are_said(crews: list[FakeCrew]) -> None:
    many = [[4 * one] for one in range(1, 31)]
    cost = estimate(of_channels(*many), ONE, 4)
    assert len(asked(crews, "measure_training")) == MOST_NETWORKS
    assert cost.unmeasured > 0
    assert cost.unmeasured + MOST_NETWORKS <= 30
    assert sum(network.share for network in cost.networks) == pytest.approx(1)


def test_once_the_time_is_up_one_of_each_is_measured(
    crews: list[FakeCrew], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(estimating, "BUDGET_SECONDS", -1.0)
    estimate(of_channels([4], [8], [16]), ONE, 4)
    assert [function for function, _ in crews[0].calls] == [*MEASURED]


@pytest.mark.parametrize("error", [TooLong(), TooLarge("of 2 images")])
def test_what_cannot_be_tried_is_a_lower_bound(error: Exception) -> None:
    def refuse(arguments: tuple[Any, ...]) -> Any:
        raise error

    for function in MEASURED:
        answering(function, refuse)
        cost = estimate(study_file(train=RATES, search={"trials": 2}), ONE, 2)
        assert cost.at_least
        assert cost.time.low > estimating.MEASUREMENT_SECONDS


@pytest.mark.parametrize(
    ("lanes", "workers", "cores", "size"), [(1, 1, 4, 1), (3, 1, 4, 3), (2, 2, 4, 4), (64, 1, 4, 4)]
)
def test_as_many_measure_at_once_as_there_are_workers_here(
    crews: list[FakeCrew], lanes: int, workers: int, cores: int, size: int
) -> None:
    measure_costs([study_file().study], Placement(lanes, workers, 1, 0), lambda what: None)
    (crew,) = crews
    assert crew.size == size
    (arguments,) = asked(crews, "measure_training")
    assert arguments[1] == (256 // workers, 256 // workers)
    assert crew.memory is not None
    assert crew.memory * size <= estimating.MEMORY_SHARE * 1.01 * estimating.free_memory()


def test_threads_and_devices_are_those_of_a_worker(crews: list[FakeCrew]) -> None:
    measure_costs([study_file().study], Placement(1, 1, 3, 0.5), lambda what: None)
    *_, limits = asked(crews, "measure_training")[0]
    assert (limits.threads, limits.gpu) == (3, True)
    assert crews[0].memory is None


def finals(**settings: Any) -> StudyFile:
    settings = {"top": 2, "training_seeds": 3, "sampling_seeds": 2, **settings}
    return study_file(train=RATES, score={"steps": 2}, search={"trials": 4}, finalists={**settings})


def test_finals_are_measured_by_their_own_metric_and_steps(crews: list[FakeCrew]) -> None:
    cost = estimate(finals(samples=100, steps=40, metric="fd_vae", sampler="ancestral"), ONE, 4)
    samplers = [spec.sampling.sampler for spec, _ in asked(crews, "measure_sampling")]
    assert sorted(samplers) == ["ancestral", "ddim"]
    scores = [(score.metric, score.samples) for _, score, _ in asked(crews, "measure_scoring")]
    assert sorted(scores) == [("fd_pixels", 64), ("fd_vae", 100)]
    assert cost.final_runs == 6
    assert cost.evaluations == 4 * 2 * 64 * 2 + 6 * 2 * 100 * 40


def test_rungs_are_measured_each(crews: list[FakeCrew]) -> None:
    rungs = [{"until": 3, "samples": 10, "metric": "sliced_wasserstein"}, {"epochs": 2}]
    estimate(study_file(train={**RATES, "epochs": 6}, score={"every": rungs}), ONE, 1)
    scores = [(score.metric, score.samples) for _, score, _ in asked(crews, "measure_scoring")]
    assert sorted(scores) == [("fd_pixels", 64), ("sliced_wasserstein", 10)]


def test_ten_thousand_epochs_are_not_gone_through(crews: list[FakeCrew]) -> None:
    file = study_file(train={**RATES, "epochs": 10_000}, score={"every": 1_000})
    cost = estimate(file, ONE, 1)
    assert cost.evaluations == 10 * 64 * 5
    assert cost.images == 10_000 * file.study.data.training_images


@pytest.mark.parametrize(
    "sections",
    [
        {"train": {**RATES, "epochs": {"int": [2, 20]}}},
        {"train": {**RATES, "early_stopping": {"patience": 3}}},
        {"score": {"steps": {"int": [2, 20]}}},
    ],
)
def test_at_most_is_for_what_trials_may_have_less_of(sections: dict[str, Any]) -> None:
    assert estimate(study_file(search={"trials": 2}, **sections), ONE, 2).at_most


def test_what_all_lanes_take_of_memory_is_told() -> None:
    cost = estimate(study_file(), Placement(3, 2, 1, 0), 1)
    assert cost.memory == 6 * (5 * 4 * 1000 + 500.0 * 128)


def test_the_mean_of_several_processes() -> None:
    one = TrainingCost(7, Line(1.0, 2.0), 3.0, (2, 8))
    other = TrainingCost(7, Line(3.0, 4.0), 5.0, (2, 8), complete=False)
    assert mean_cost([one, other]) == TrainingCost(7, Line(2.0, 3.0), 4.0, (2, 8), complete=False)


def test_reading_the_images_and_learning_comes_before_the_first_trial() -> None:
    def starting(**options: Any) -> float:
        result: Estimate = estimate(study_file(), ONE, 1, **options)
        return result.time.starting

    assert starting(reading=50.0) == pytest.approx(starting() + 50.0)
    assert starting() == pytest.approx(forecasting.starting_seconds(1, 4.0, PROCESS) + 3.0)


@pytest.mark.slow
def test_a_study_is_measured_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes, torch and all: on this machine, whatever it takes."""
    monkeypatch.undo()
    file = study_file(train=RATES, search={"trials": 2}, score={"metric": "fd_vae"})
    spec: Study = file.study
    cost = estimate(file, replace(ONE, lanes=2), 2)
    (network,) = cost.networks
    assert network.cost.complete
    assert network.cost.parameters > 1000
    assert network.cost.batches_tried
    assert network.train_seconds > 0
    assert cost.time.starting > forecasting.starting_seconds(2, 1e9, 0.1)
    assert spec.train.epochs == 2
