from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from optuna.samplers import BaseSampler
from study_trees import changed, parse_study

from study.search import PastTrial, Search, Suggestion
from study.search import search as search_module
from study.search.proposers import SAMPLERS
from study.search.tried import DRAWS, FreshSampler
from study.spec import Picks, StudyFile
from study.spec.search import SEARCH_SAMPLERS

PROPOSING = [
    # A Gaussian process is fitted again for each point: seconds.
    pytest.param(name, marks=[pytest.mark.slow] if name == "gp" else [])
    for name, info in SEARCH_SAMPLERS.items()
    if not info.enumerates
]


def space_of(*, sampler: str = "tpe", trials: int = 9, **model: Any) -> StudyFile:
    """A study whose holes are those of `model` alone."""
    file = changed(
        search={"sampler": sampler, "trials": trials},
        train={"batch_size": 32, "learning_rate": 1e-3},
        model={"timesteps": 10, "network": "cnn", "schedule": "cosine", **model},
    )
    return parse_study(file)


def six(sampler: str, trials: int = 9) -> StudyFile:
    """A space of six points."""
    return space_of(
        sampler=sampler,
        trials=trials,
        timesteps={"int": [10, 12], "log": True},
        prediction={"choice": ["epsilon", "x0"]},
    )


def play(
    search: Search,
    fails: Callable[[Picks], bool] = lambda picks: False,
    values: Callable[[Suggestion], float] = lambda suggestion: float(suggestion.number),
) -> list[Picks]:
    """What is proposed when each trial ends before the next one is asked for."""
    proposed = []
    while (suggestion := search.ask()) is not None:
        proposed.append(suggestion.picks)
        if fails(suggestion.picks):
            search.fail(suggestion.number)
        else:
            search.report(suggestion.number, 1, values(suggestion))
            search.complete(suggestion.number, [values(suggestion)])
    return proposed


def distinct(points: Sequence[Picks]) -> set[str]:
    return {repr(sorted(picks.items())) for picks in points}


@pytest.mark.parametrize("pruner", ["none", "hyperband"])
@pytest.mark.parametrize("name", PROPOSING)
def test_in_a_continuous_space_points_are_those_of_the_sampler_alone(
    name: str, pruner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [{"model.schedule": "constant"}, {"model.timesteps": 33}]
    trials = 13 if name == "gp" else 22  # samplers draw the first ten at random
    file = changed(search={"sampler": name, "trials": trials, "pruner": pruner, "enqueue": points})
    study_file = parse_study(file)

    def value(suggestion: Suggestion) -> float:
        return abs(float(suggestion.picks["model.timesteps"] or 0) - 40)

    def proposed() -> list[Picks]:
        return play(Search(study_file), lambda picks: picks["model.timesteps"] == 12, value)

    ours = proposed()
    monkeypatch.setattr(FreshSampler, "sample_relative", relative_alone)
    monkeypatch.setattr(FreshSampler, "sample_independent", independent_alone)
    assert proposed() == ours
    assert len(ours) == trials


def relative_alone(self: Any, *arguments: Any) -> Any:
    return self._sampler.sample_relative(*arguments)


def independent_alone(self: Any, *arguments: Any) -> Any:
    return self._sampler.sample_independent(*arguments)


@pytest.mark.parametrize("name", PROPOSING)
def test_a_point_is_repeated_when_all_others_were_tried(name: str) -> None:
    # The sampler learns that one point is by far the best, and would go on with it.
    proposed = play(
        Search(six(name, trials=15)),
        values=lambda suggestion: float(suggestion.picks["model.timesteps"] or 0),
    )
    assert len(proposed) == 15
    assert len(distinct(proposed[:6])) == 6


@pytest.mark.parametrize("name", PROPOSING)
def test_lanes_side_by_side_try_each_point_once(name: str) -> None:
    proposed = [one.picks for one in iter(Search(six(name, trials=6)).ask, None)]
    assert len(distinct(proposed)) == 6


@pytest.mark.parametrize("name", PROPOSING)
def test_a_point_that_has_failed_is_not_proposed_again(name: str) -> None:
    def fails(picks: Picks) -> bool:
        return picks["model.timesteps"] != 11

    proposed = play(Search(six(name, trials=20)), fails)
    assert len(proposed) == 20
    assert len([picks for picks in proposed if fails(picks)]) == 4
    # The same after a rebuild from the ledger.
    past = [
        PastTrial(p, "failed" if fails(p) else "complete", () if fails(p) else (1.0,), {})
        for p in proposed[:6]
    ]
    again = play(Search(six(name, trials=20), past), fails)
    assert len(again) == 14
    assert not [picks for picks in again if fails(picks)]


@pytest.mark.parametrize("name", [*PROPOSING, "grid"])
def test_a_search_ends_when_all_points_have_failed(name: str) -> None:
    study_file = space_of(sampler=name, timesteps={"int": [10, 11], "step": 1})
    search = Search(study_file)
    assert search.stopped == ""
    assert len(play(search, lambda picks: True)) == 2
    if name != "grid":  # which has planned no more
        assert search.stopped == "all 2 points of the space have failed"
    past = [PastTrial({"model.timesteps": steps}, "failed", (), {}) for steps in (10, 11)]
    rebuilt = Search(study_file, past)
    assert rebuilt.ask() is None
    assert rebuilt.stopped == search.stopped


def test_a_space_of_one_point_ends_when_it_has_failed() -> None:
    search = Search(space_of(prediction={"choice": ["x0"]}))
    assert len(play(search, lambda picks: True)) == 1
    assert search.stopped == "the only point of the space has failed"


def test_a_branch_of_one_point_is_not_repeated_beside_one_of_many() -> None:
    choice = [
        {"kind": "constant", "beta": 0.01},
        {"kind": "cosine", "max_beta": {"float": [0.1, 0.9]}},
    ]
    for fails in (False, True):
        search = Search(space_of(trials=30, schedule={"choice": choice}))
        proposed = play(
            search, lambda picks, fails=fails: fails and picks["model.schedule"] == "constant"
        )
        assert [picks["model.schedule"] for picks in proposed].count("constant") == 1
        assert len(proposed) == 30
        assert search.stopped == ""


class Stubborn(BaseSampler):
    """Always proposes the first value, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        return {}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        self.asked += 1
        return {}

    def sample_independent(self, study: Any, trial: Any, param_name: str, distribution: Any) -> Any:
        return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def test_a_sampler_that_repeats_itself_is_asked_a_few_times(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stubborn = Stubborn()
    monkeypatch.setattr(search_module, "SAMPLERS", {**SAMPLERS, "tpe": lambda seed: stubborn})
    assert len(distinct(play(Search(six("tpe", trials=6))))) == 6
    assert stubborn.asked == 1 + 5 * DRAWS


def test_what_is_on_a_grid_of_steps_is_one_point_whatever_its_last_digits() -> None:
    file = space_of(
        schedule={"kind": "cosine", "max_beta": {"float": [0.1, 0.9], "step": 0.1}}, trials=20
    )
    past = [PastTrial({"model.schedule.max_beta": 0.1 + 2 * 0.1}, "failed", (), {})]
    proposed = play(Search(file, past))
    assert len(proposed) == 19
    assert not [
        picks
        for picks in proposed
        if abs(float(picks["model.schedule.max_beta"] or 0) - 0.3) < 1e-6
    ]
