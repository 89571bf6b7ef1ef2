from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from study_trees import changed, parse_study, read_new_study, tree

from study.spec import UserError
from study.spec.reach import not_searched

FIXED = {"train": {"epochs": 9, "batch_size": 32, "learning_rate": 1e-3}}
"""Without the holes of `train`."""


def holes(**model: Any) -> dict[str, Any]:
    """A study whose holes are those of `model` alone."""
    plain = {"timesteps": 10, "network": "cnn", "schedule": "cosine"}
    return {**tree(), **FIXED, "model": {"family": "ddpm", **plain, **model}}


@pytest.mark.parametrize(
    ("sampler", "names"),
    [
        ("tpe", {}),
        ("random", {}),
        (
            "gp",
            {
                "model.schedule.linear.beta_end": "in a branch",
                "model.schedule.cosine.max_beta": "in a branch",
            },
        ),
        (
            "cma-es",
            {
                "model.schedule": "a choice",
                "model.schedule.linear.beta_end": "in a branch",
                "model.schedule.cosine.max_beta": "in a branch",
                "model.network.channels": "a choice",
                "train.batch_size": "a choice",
            },
        ),
    ],
)
def test_a_study_says_what_its_sampler_does_not_search(sampler: str, names: dict[str, str]) -> None:
    study_file = parse_study(changed(search={"sampler": sampler, "trials": 40}))
    assert not_searched(study_file.space, study_file.study.search) == names
    listed = ", ".join(f"{name} ({why})" for name, why in names.items())
    note = f"the sampler {sampler} does not search, but draws at random: {listed}"
    assert study_file.reach_notes() == ([note] if names else [])


@pytest.mark.parametrize(
    "model",
    [
        {"prediction": {"choice": ["epsilon", "x0"]}},
        {"prediction": {"choice": ["epsilon", "x0"]}, "timesteps": {"int": [10, 10]}},
        {"schedule": {"choice": [{"kind": "cosine", "max_beta": {"float": [0.1, 0.9]}}, "linear"]}},
    ],
)
def test_a_sampler_that_searches_none_of_the_dimensions_is_a_mistake(
    tmp_path: Path, model: dict[str, Any]
) -> None:
    file = holes(**model)
    file["search"] = {"sampler": "cma-es", "trials": 4}
    with pytest.raises(UserError) as caught:
        read_new_study(file, tmp_path)
    assert ": search.sampler: the sampler 'cma-es' searches none of the dimensions, model." in str(
        caught.value
    )
    assert str(caught.value).endswith("use tpe, gp or qmc")
    # One that was begun by an older version can be read, resumed and finished.
    assert "draws at random: model." in parse_study(file).reach_notes()[0]
    file["search"]["sampler"] = "tpe"
    read_new_study(file, tmp_path)


@pytest.mark.parametrize(
    ("sampler", "trials", "note"),
    [
        (
            "tpe",
            11,
            "the space has 3 points: at most 3 of 11 trials can differ, others repeat a point",
        ),
        (
            "cma-es",
            4,
            "the space has 3 points: at most 3 of 4 trials can differ, others repeat a point",
        ),
        ("random", 3, ""),
        ("grid", 9, "the grid has 3 points: 3 of 9 trials are run"),
    ],
)
def test_more_trials_than_points_are_said(sampler: str, trials: int, note: str) -> None:
    file = holes(timesteps={"int": [10, 12], "step": 1})
    file["search"] = {"sampler": sampler, "trials": trials}
    assert parse_study(file).reach_notes() == ([note] if note else [])


def test_one_point_is_one() -> None:
    file = holes(timesteps={"choice": [10]})  # and nothing to draw at random
    assert parse_study(file).reach_notes() == [
        "the space has 1 point: at most 1 of 4 trials can differ, others repeat a point"
    ]


@pytest.mark.parametrize(("sampler", "count"), [("tpe", 10), ("gp", 10)])
def test_too_few_trials_to_learn_from_are_said(sampler: str, count: int) -> None:
    def notes(trials: int) -> list[str]:
        file = holes(timesteps={"int": [10, 99]})
        file["search"] = {"sampler": sampler, "trials": trials}
        return parse_study(file).reach_notes()

    line = "the sampler {} draws at random until {} trials have ended: all {} of this study"
    assert notes(count) == [line.format(sampler, count, count)]
    assert notes(count + 1) == notes(1) == []
