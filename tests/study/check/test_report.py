from __future__ import annotations

import io

import pytest
from rich.console import Console
from study_trees import changed, parse_study, tree

from study.check import report as checking
from study.check.report import check_study
from study.spec import StudyFile, UserError


def checked(study_file: StudyFile) -> str:
    page = io.StringIO()
    check_study(study_file, Console(file=page, width=200))
    return page.getvalue()


def test_a_check_says_what_there_is_and_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "this_machine", lambda: {"CPU": 2.0, "GPU": 0.0})
    study_file = parse_study(changed(search={"pruner": "asha"}))
    page = checked(study_file)
    for dimension in study_file.space.dimensions():
        assert dimension.name in page
        assert str(dimension.hole) in page
    assert "small: 7 dimensions" in page
    assert "3 branches" in page
    assert "model.schedule=cosine, model.schedule.cosine.offset=0.008" in page
    assert "fits this machine: 2 lanes of 1 worker with 1 CPU" in page
    assert "4 trials: at most" in page
    assert "with the pruner" in page
    assert "at most" not in page.split("time: ")[1]  # all trials are as long


def test_what_trials_differ_in_is_reckoned_at_its_most() -> None:
    page = checked(parse_study(changed(score={"steps": {"int": [2, 5]}})))
    assert "cost, measured here, for the longest training and the most steps" in page
    assert "time: at most " in page


def test_one_is_not_told_as_several() -> None:
    file = tree()
    file["model"]["schedule"] = {"kind": "cosine"}
    file["search"]["trials"] = 1
    page = checked(parse_study(file))
    assert "1 branch, each valid" in page
    assert "1 trial: at most" in page


def test_a_check_says_what_a_search_does_not_reach() -> None:
    file = changed(
        search={"sampler": "cma-es", "trials": 9},
        model={"timesteps": {"int": [10, 11]}, "network": "cnn", "schedule": "cosine"},
        train={"learning_rate": 1e-3},
    )
    page = checked(parse_study(file))
    assert "does not search, but draws at random: train.batch_size (a choice)\n" in page
    assert "the space has 4 points: at most 4 of 9 trials can differ" in page


def test_a_study_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "this_machine", lambda: {"CPU": 2.0, "GPU": 0.0})
    with pytest.raises(UserError, match="3 workers with 1 CPU each can never be placed"):
        checked(parse_study({**tree(), "scale": {"workers_per_trial": 3}}))
