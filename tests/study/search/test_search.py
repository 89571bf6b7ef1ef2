from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState
from stages import Stage
from study_trees import changed, parse_study

from study.driver.events import TrialEnded
from study.driver.messages import Assignment
from study.search import PastTrial, Search, Suggestion, trial_seed
from study.search.proposers import SAMPLERS
from study.simulation.learning_curves import Curve, Point
from study.spec import Picks, StudyFile
from study.spec.search import Pruner
from study.spec.short_form import kinds

EPOCHS = 9
THRESHOLD = {"kind": "threshold", "upper": 6.0}


def make(sampler: str = "random", pruner: Any = "none", **search: Any) -> StudyFile:
    file = changed(search={"sampler": sampler, "pruner": pruner, "trials": 24, **search})
    if sampler == "grid":
        file["model"]["timesteps"] = {"int": [10, 40], "step": 10}
        file["model"]["schedule"]["choice"][0]["beta_end"] = {"choice": [0.01, 0.02]}
        file["model"]["schedule"]["choice"][1]["max_beta"] = {"float": [0.1, 0.5], "step": 0.2}
        file["train"] = {"epochs": EPOCHS, "learning_rate": 1e-3}
    return parse_study(file)


def curve(trial: Suggestion | Assignment, picks: Picks) -> list[float]:
    """A synthetic learning curve: where it ends depends on the point, and on luck."""
    source = random.Random(trial.seed)
    steps = float(picks["model.timesteps"] or 0)
    worth = abs(math.log(steps / 40)) + (picks["model.schedule"] == "constant")
    return [worth + 5 / epoch + source.uniform(0, 0.5) for epoch in range(1, EPOCHS + 1)]


def run(
    folder: Path, study_file: StudyFile, failing: int = 7, search: Search | None = None
) -> tuple[Search, dict[int, str]]:
    """Run a study in three simulated lanes; its search, and each trial's state."""

    def curves(assignment: Assignment, picks: Picks) -> Curve:
        fails = 2 if assignment.number % failing == failing - 1 else None
        return Curve(
            [
                Point(epoch, 1.0 * epoch, value, failure="diverged" if epoch == fails else "")
                for epoch, value in enumerate(curve(assignment, picks), start=1)
            ]
        )

    stage = Stage(folder, study_file, lanes=3, search=search, max_age=math.inf)
    stage.run(curves)
    ends = (event for event in stage.events if isinstance(event, TrialEnded))
    return stage.search, {event.number: event.state for event in ends}


TOLD = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@pytest.mark.slow
@pytest.mark.parametrize("pruner", kinds(Pruner))
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_goes_with_every_pruner(tmp_path: Path, sampler: str, pruner: str) -> None:
    study_file = make(sampler, THRESHOLD if pruner == "threshold" else pruner, trials=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing of Optuna's reaches a person's terminal
        search, states = run(tmp_path, study_file)
    assert len(states) == search.planned == 10
    assert [trial.state for trial in search.trials] == [
        TOLD[states[number]] for number in range(10)
    ]
    if pruner == "none":
        assert "pruned" not in states.values()
    assert search.ask() is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "pruner", [name for name in kinds(Pruner) if name not in ("none", "wilcoxon")]
)
def test_pruners_stop_bad_trials(tmp_path: Path, pruner: str) -> None:
    settings: Any = {"kind": pruner}
    if pruner == "threshold":
        settings = {"kind": "threshold", "upper": 4.0, "warmup_epochs": 2}
    if pruner == "patient":
        settings = {"kind": "patient", "patience": 0}
    search, states = run(tmp_path, make("random", settings))
    assert "pruned" in states.values()
    for trial in search.trials:
        if trial.state == TrialState.PRUNED:
            assert trial.value == trial.intermediate_values[max(trial.intermediate_values)]


def test_wilcoxon_stops_a_trial_that_is_worse_epoch_by_epoch() -> None:
    search = Search(make("random", {"kind": "wilcoxon", "p_threshold": 0.2}))
    first, second = search.ask(), search.ask()
    assert first is not None
    assert second is not None
    for epoch in range(1, EPOCHS + 1):
        assert not search.report(first.number, epoch, 1.0 + epoch / 100)
    search.complete(first.number, [1.0])
    assert any(search.report(second.number, epoch, 9.0) for epoch in range(1, EPOCHS + 1))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_seed_gives_one_study(sampler: str) -> None:
    def suggestions(seed: int) -> list[Suggestion]:
        search = Search(make(sampler, seed=seed, trials=8))
        found = []
        while (suggestion := search.ask()) is not None:
            found.append(suggestion)
            search.complete(suggestion.number, [curve(suggestion, suggestion.picks)[-1]])
        return found

    assert suggestions(3) == suggestions(3)
    others = [suggestion.picks for suggestion in suggestions(4)]
    same = [suggestion.picks for suggestion in suggestions(3)]
    assert (others == same) == (sampler == "grid")


def test_seeds_of_trials_follow_from_the_studys_seed_and_their_numbers() -> None:
    seeds = {trial_seed(study, number) for study in range(20) for number in range(200)}
    assert len(seeds) == 4000
    assert all(0 <= seed < 2**32 for seed in seeds)
    search = Search(make(seed=5, trials=3))
    asked = [search.ask() for _ in range(3)]
    assert [s.seed for s in asked if s] == [trial_seed(5, number) for number in range(3)]


POINTS: list[dict[str, Any]] = [
    {"model.timesteps": 33, "model.schedule": "constant"},
    {"model.schedule": "cosine", "model.schedule.cosine.max_beta": 0.25},
    {"model.network.channels": [8, 16], "train.learning_rate": 1e-3},
]


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "grid"])
def test_starting_points_come_first(sampler: str) -> None:
    study_file = make(sampler, enqueue=POINTS)
    search = Search(study_file)
    for point in study_file.starting_points:
        suggestion = search.ask()
        assert suggestion is not None
        assert point.items() <= suggestion.picks.items()


def numbers(picks: Any) -> str:
    return str(sorted(picks.items()))


@pytest.mark.parametrize("trials", [1, 10, 48, 100])
@pytest.mark.parametrize("points", [[], [{"model.timesteps": 30}, {"model.schedule": "constant"}]])
def test_a_grid_covers_each_combination_once(trials: int, points: list[dict[str, Any]]) -> None:
    # 4 timesteps x (2 + 3 + 1) of the schedules x 2 networks
    study_file = make("grid", trials=trials, enqueue=points)
    search = Search(study_file)
    found = [*iter(search.ask, None)]
    assert len(found) == search.planned == min(trials, 48)
    assert len({numbers(suggestion.picks) for suggestion in found}) == len(found)
    for point, suggestion in zip(points, found, strict=False):
        assert point.items() <= suggestion.picks.items()


def test_a_dimension_of_a_branch_is_asked_only_there() -> None:
    search = Search(make("tpe", trials=20))
    for suggestion in iter(search.ask, None):
        branch = suggestion.picks["model.schedule"]
        inside = {name for name in suggestion.picks if name.startswith("model.schedule.")}
        assert inside <= {f"model.schedule.{branch}.beta_end", f"model.schedule.{branch}.max_beta"}
        search.complete(suggestion.number, [1.0])


@pytest.mark.parametrize("pruner", ["none", "asha", "median"])
def test_a_search_is_rebuilt_from_what_happened(tmp_path: Path, pruner: str) -> None:
    study_file = make("tpe", pruner, trials=16, enqueue=POINTS)
    before, states = run(tmp_path / "before", study_file)
    past = [
        PastTrial(
            trial.params,
            states[trial.number],
            (trial.value,) if trial.state == TrialState.COMPLETE and trial.value else (),
            trial.intermediate_values,
        )
        for trial in before.trials[:12]
    ]
    again = Search(study_file, past)
    for old, new in zip(before.trials, again.trials, strict=False):
        assert (new.number, new.state, new.params) == (old.number, old.state, old.params)
        assert new.distributions == old.distributions
        assert new.intermediate_values == old.intermediate_values
        assert new.value == old.value
    suggestion = again.ask()
    assert suggestion is not None
    assert suggestion.number == 12
    assert suggestion.seed == trial_seed(0, 12)
    again.complete(12, [1.0])
    _, rest = run(tmp_path / "again", study_file, failing=1000, search=again)
    assert sorted(rest) == [13, 14, 15]
    assert all(trial.state.is_finished() for trial in again.trials)


class Course:
    """A search in which some trials are in hand at a time, and the oldest of them ends next."""

    def __init__(self, study_file: StudyFile, in_hand: int) -> None:
        self.file = study_file
        self.in_hand = in_hand
        self.search = Search(study_file)
        self.running: list[Suggestion] = []
        self.past: dict[int, PastTrial] = {}
        self.proposed: list[Picks] = []
        self.moment = itertools.count()

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(self.moment))

    def step(self) -> bool:
        """Begin a trial or end one; whether there was one."""
        asks = len(self.running) < self.in_hand
        if asks and (suggestion := self.search.ask()) is not None:
            self.running.append(suggestion)
            self.proposed.append(suggestion.picks)
            self.past[suggestion.number] = PastTrial(
                suggestion.picks, "running", (), {}, self.now()
            )
            return True
        if not self.running:
            return False
        self.end(self.running.pop(0))
        return True

    def end(self, suggestion: Suggestion) -> None:
        number, state = suggestion.number, "complete"
        values = curve(suggestion, suggestion.picks)
        reports: dict[int, float] = {}
        if number % 7 == 6:
            self.search.fail(number)
            state = "failed"
        else:
            for epoch, value in enumerate(values, start=1):
                reports[epoch] = value
                if self.search.report(number, epoch, value, last=epoch == EPOCHS):
                    self.search.prune(number)
                    state = "pruned"
                    break
            else:
                self.search.complete(number, [values[-1]])
        self.past[number] = replace(
            self.past[number],
            state=state,
            values=(values[-1],) if state == "complete" else (),
            reports=reports,
            ended=self.now(),
        )

    def interrupted(self) -> Course:
        """The same, with a search that is made anew from what happened."""
        again = Course(self.file, self.in_hand)
        again.search = Search(self.file, [self.past[n] for n in range(len(self.past))])
        again.running, again.past = [*self.running], {**self.past}
        again.proposed, again.moment = [*self.proposed], self.moment
        return again


@pytest.mark.parametrize("in_hand", [1, 3])
@pytest.mark.parametrize("pruner", ["none", "asha", "hyperband", "median"])
@pytest.mark.parametrize(
    "sampler",
    # A Gaussian process is fitted again for each point: seconds.
    [pytest.param(n, marks=[pytest.mark.slow] if n == "gp" else []) for n in SAMPLERS],
)
def test_a_search_that_goes_on_proposes_what_it_would_have(
    sampler: str, pruner: str, in_hand: int
) -> None:
    trials = 14 if sampler == "gp" else 24
    points = [] if sampler == "grid" else POINTS
    study_file = make(sampler, pruner, trials=trials, enqueue=points)
    whole = Course(study_file, in_hand)
    while whole.step():
        pass
    course, steps = Course(study_file, in_hand), itertools.count()
    while course.step():
        if next(steps) % 9 == 4:  # again and again, in all phases of a trial
            course = course.interrupted()
    assert course.proposed == whole.proposed
    assert [course.past[n].state for n in course.past] == [whole.past[n].state for n in whole.past]


def test_starting_points_that_were_not_reached_come_after_a_rebuild() -> None:
    study_file = make("tpe", enqueue=POINTS)
    first = Search(study_file).ask()
    assert first is not None
    again = Search(study_file, [PastTrial(first.picks, "complete", (1.0,), {1: 1.0})])
    for point in study_file.starting_points[1:]:
        suggestion = again.ask()
        assert suggestion is not None
        assert point.items() <= suggestion.picks.items()


def test_a_grid_goes_on_where_it_was() -> None:
    study_file = make("grid", trials=100)
    whole = [*iter(Search(study_file).ask, None)]
    past = [PastTrial(s.picks, "complete", (1.0,), {}) for s in whole[:20]]
    assert [*iter(Search(study_file, past).ask, None)] == whole[20:]


def test_values_that_are_no_numbers_stay_out_of_the_past() -> None:
    study_file = make()
    suggestion = Search(study_file).ask()
    assert suggestion is not None
    past = PastTrial(suggestion.picks, "failed", (), {1: 2.0, 2: math.nan})
    (trial,) = Search(study_file, [past]).trials
    assert trial.state == TrialState.FAIL
    assert trial.intermediate_values == {1: 2.0}


@pytest.mark.parametrize("sampler", ["tpe", "random", "gp", "qmc", "grid"])
def test_several_objectives_make_complete_trials(sampler: str) -> None:
    search = Search(make(sampler, trials=11, objectives=["score", "parameters"]))
    for suggestion in iter(search.ask, None):
        for epoch, value in enumerate(curve(suggestion, suggestion.picks), start=1):
            assert search.report(suggestion.number, epoch, value) is False
        search.complete(
            suggestion.number, [curve(suggestion, suggestion.picks)[-1], float(suggestion.number)]
        )
    assert [trial.state for trial in search.trials] == [TrialState.COMPLETE] * 11
    assert all(len(trial.values) == 2 for trial in search.trials)


def test_tpe_learns() -> None:
    def mean_of_last(sampler: str, seed: int) -> float:
        search = Search(make(sampler, trials=40, seed=seed))
        values = []
        for suggestion in iter(search.ask, None):
            values.append(curve(suggestion, suggestion.picks)[-1])
            search.complete(suggestion.number, [values[-1]])
        return sum(values[-15:]) / 15

    seeds = range(2)
    assert sum(mean_of_last("tpe", s) for s in seeds) < sum(
        mean_of_last("random", s) for s in seeds
    )


def test_lanes_side_by_side_try_different_points() -> None:
    search = Search(make("tpe", trials=30))
    for suggestion in itertools.islice(iter(search.ask, None), 15):
        search.complete(suggestion.number, [curve(suggestion, suggestion.picks)[-1]])
    waiting = [*iter(search.ask, None)]
    rates = {suggestion.picks["train.learning_rate"] for suggestion in waiting}
    assert len(rates) == len(waiting) == 15


def test_optuna_keeps_quiet() -> None:
    assert optuna.logging.get_verbosity() >= optuna.logging.WARNING


RUNGS = [{"until": 3, "epochs": 1, "metric": "sliced_wasserstein"}, {"epochs": 1}]


@pytest.mark.parametrize("every", [1, RUNGS], ids=["one rung", "rungs"])
@pytest.mark.parametrize(
    "pruner",
    ["asha", {"kind": "asha", "reduction_factor": 2}, {"kind": "hyperband", "reduction_factor": 2}],
    ids=str,
)
def test_a_search_that_goes_on_prunes_as_it_would_have(pruner: Any, every: Any) -> None:
    """Successive halving keeps its rungs beside the reports: they must come back too."""
    file = parse_study(changed(search={"pruner": pruner, "trials": 12}, score={"every": every}))

    def score(number: int, epoch: int) -> float:
        early = every == RUNGS and epoch <= 3
        quality = (number * 7) % 12
        return 0.01 * quality if early else 5.0 + quality - epoch / 10

    def ask(search: Search, count: int) -> list[Suggestion]:
        return [one for _ in range(count) if (one := search.ask()) is not None]

    def play(search: Search, numbers: Iterable[int], epochs: range) -> dict[int, int]:
        """Train trials side by side, epoch by epoch; the epoch at which each was pruned."""
        stopped: dict[int, int] = {}
        for epoch in epochs:
            for number in numbers:
                if number not in stopped and search.report(number, epoch, score(number, epoch)):
                    search.prune(number)
                    stopped[number] = epoch
        return stopped

    def late(search: Search, running: Sequence[int]) -> dict[int, int]:
        """Six new trials are trained, and then those that were in hand go on."""
        new = [one.number for one in ask(search, 6)]
        return play(search, new, range(1, 9)) | play(search, running, range(5, 9))

    whole = Search(file)
    early = ask(whole, 6)
    stopped = play(whole, range(6), range(1, 5))
    running = [number for number in range(6) if number not in stopped]
    assert 0 < len(stopped) < 6
    past = []
    for one in early:
        last = stopped.get(one.number, 4)
        reports = {epoch: score(one.number, epoch) for epoch in range(1, last + 1)}
        state = "pruned" if one.number in stopped else "running"
        past.append(PastTrial(one.picks, state, (), reports))
    expected = late(whole, running)
    assert expected
    assert late(Search(file, past), running) == expected
