"""What search samplers and pruners are declared to be is what Optuna's do."""

from __future__ import annotations

import typing
from typing import Any

import optuna
import pytest
from pydantic import TypeAdapter

from study.search.proposers import SAMPLERS
from study.search.pruners import make_pruner
from study.spec.search import SEARCH_SAMPLERS, Pruner, SearchSampler
from study.spec.short_form import kinds


def pruner_of(kind: str) -> Any:
    """The section of a pruner with its defaults."""
    settings = {"kind": kind, **({"upper": 3.0} if kind == "threshold" else {})}
    return TypeAdapter(Pruner).validate_python(settings)


def test_every_search_sampler_is_declared_and_made() -> None:
    assert {*typing.get_args(SearchSampler)} == {*SEARCH_SAMPLERS} == {*SAMPLERS}


@pytest.mark.parametrize("name", typing.get_args(SearchSampler))
def test_search_samplers_take_as_many_objectives_as_declared(name: SearchSampler) -> None:
    study = optuna.create_study(directions=["minimize"] * 2, sampler=SAMPLERS[name](0))

    def sample() -> None:
        for _ in range(12):  # past the random trials that samplers start with
            trial = study.ask()
            x = trial.suggest_float("x", 0, 1)
            study.tell(trial, [x, 1 - x])

    if SEARCH_SAMPLERS[name].several_objectives:
        sample()
    else:
        with pytest.raises(ValueError, match="multi-objective"):
            sample()


@pytest.mark.parametrize("name", ["tpe", "gp", "qmc", "cma-es"])
def test_search_samplers_search_what_is_declared(name: SearchSampler) -> None:
    study = optuna.create_study(sampler=SAMPLERS[name](0))
    study.enqueue_trial({"branch": "without"})
    for _ in range(12):  # past the random trials that samplers start with
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        if trial.suggest_categorical("branch", ["with", "without"]) == "with":
            trial.suggest_float("inside", 0, 1)
        study.tell(trial, x)
    assert any("inside" in trial.params for trial in study.get_trials())
    trial = study.ask()
    searched = {*study.sampler.infer_relative_search_space(study, study.get_trials()[-1])}
    info = SEARCH_SAMPLERS[name]
    assert "x" in searched
    assert ("branch" in searched) == info.searches_choices
    assert ("inside" in searched) == info.searches_branches


@pytest.mark.parametrize("name", ["tpe", "gp", "cma-es"])
def test_search_samplers_draw_at_random_at_first_as_declared(name: SearchSampler) -> None:
    study = optuna.create_study(sampler=SAMPLERS[name](0))

    def proposes() -> bool:
        trial = study.get_trials()[-1]
        space = study.sampler.infer_relative_search_space(study, trial)
        return bool(study.sampler.sample_relative(study, trial, space))

    for ended in range(12):
        trial = study.ask()
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        # With nothing ended there is no space yet that could be proposed of.
        assert proposes() == (ended >= max(1, SEARCH_SAMPLERS[name].random_trials))
        study.tell(trial, x + y)


@pytest.mark.parametrize("kind", kinds(Pruner))
def test_pruners_keep_rungs_and_stop_trials_as_declared(kind: str) -> None:
    settings = pruner_of(kind)
    study = optuna.create_study(pruner=make_pruner(settings, epochs=9))
    trial = study.ask()
    for epoch in range(1, 10):
        trial.report(1.0, step=epoch)
        trial.should_prune()
    kept = study.get_trials()[0].system_attrs
    assert any("rung" in key for key in kept) == settings.keeps_rungs
    assert isinstance(study.pruner, optuna.pruners.NopPruner) == (not settings.stops_trials)
