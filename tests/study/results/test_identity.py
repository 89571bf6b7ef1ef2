from __future__ import annotations

from dataclasses import fields, replace

import pytest
from ledger_rows import complete, final, score

from study.results.identity import (
    Identity,
    check_comparable,
    chooses_sampler,
    common,
    differing,
    first_conflict,
    identity,
    in_words,
    overridden,
)
from study.results.tables import KEYS
from study.spec.errors import UserError


def test_what_a_score_measures_is_part_of_its_key() -> None:
    """Or two rows that measure different things would take each other's place."""
    assert {field.name for field in fields(Identity)} <= {*KEYS["scores"]}


def test_in_words() -> None:
    measured = identity(score(0, 1.0))
    assert in_words(measured) == "fd_lenet of 256 images by ddim in 20 steps"
    assert in_words(replace(measured, steps=None)) == "fd_lenet of 256 images by ddim"
    own = replace(measured, sampler=None, weights="trained")
    assert in_words(own) == (
        "fd_lenet of 256 images by each trial's own sampler in 20 steps, the trained weights"
    )


def test_what_scores_have_in_common() -> None:
    one = identity(score(0, 1.0))
    assert common([one, one]) == one
    assert common([one, replace(one, steps=9)]) == replace(one, steps=None)
    assert common([]) is None


def test_the_first_conflict_of_two_trials() -> None:
    free = [replace(complete(trial, 1.0), picks={"score.steps": 5}) for trial in (0, 1)]
    base, other = score(0, 1.0), replace(score(1, 1.0), steps=9)
    assert differing(identity(base), identity(other)) == ["steps"]
    assert first_conflict((free[0], base), (free[1], other)) is None
    fixed = complete(1, 1.0)
    assert not chooses_sampler(fixed)
    assert first_conflict((free[0], base), (fixed, other)) == "steps"
    with pytest.raises(UserError, match=r"Trials 0 and 1 .* differ in `steps`, 20 and 9"):
        check_comparable([(free[0], base), (fixed, other)])


def test_what_final_runs_have_otherwise_than_their_trials() -> None:
    trial = replace(complete(0, 1.0), spec={"score": {"steps": 5, "samples": 9}})
    run = replace(final(1, 0), spec={"score": {"steps": 7, "samples": 9}})
    lost = replace(final(2, 8), spec={"score": {"samples": 1}})
    assert overridden([trial, run, lost]) == {"steps"}
    assert overridden([replace(trial, spec={}), run]) == frozenset()
