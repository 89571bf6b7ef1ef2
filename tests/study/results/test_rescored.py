from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from ledger_rows import complete, final, score, spec, write

from study.results.ranking import best
from study.results.render import to_text
from study.results.rescored import rescore_table, rescored
from study.results.storage import Storage
from study.results.tables import ScoreRow


def again(trial: int, value: float, **changes: Any) -> ScoreRow:
    return replace(score(trial, value), **{"stage": "rescore", "steps": 250, **changes})


@pytest.fixture
def studied(storage: Storage) -> Storage:
    storage.claim("s", "")
    for trial in range(4):
        row = replace(complete(trial, trial + 1.0), spec=spec())
        write(storage, "s", score(trial, trial + 1.0), row)
    write(storage, "s", replace(final(4, 0, 0.5), spec=spec()))
    return storage


def test_each_way_of_scoring_is_a_group(studied: Storage) -> None:
    for trial, value in enumerate([2.0, 1.0, 3.0, 4.0]):
        write(studied, "s", again(trial, value, spread=0.1))
        write(studied, "s", again(trial, 0.5, metric="recall"))
    write(studied, "s", again(4, 0.1, sampler="dpm_solver"), again(0, 7.0, weights="trained"))
    groups = rescored(studied, "s")
    ways = [tuple(g.measured[p] for p in ("sampler", "steps", "weights")) for g in groups]
    assert ways == [
        ("ddim", 250, "averaged"),
        ("dpm_solver", 250, "averaged"),
        ("ddim", 250, "trained"),
    ]
    first = groups[0]
    assert [(row.trial, row.before, row.value, row.spread) for row in first.trials] == [
        (1, 2.0, 1.0, 0.1),
        (0, 1.0, 2.0, 0.1),
        (2, 3.0, 3.0, 0.1),
        (3, 4.0, 4.0, 0.1),
    ]
    assert first.agreement is not None
    assert first.agreement.kendall == pytest.approx((5 - 1) / 6)
    assert [row.final for row in groups[1].trials] == [True]
    assert groups[2].agreement is None


def test_they_are_never_mixed_with_the_search(studied: Storage) -> None:
    write(studied, "s", again(3, 0.1), again(3, 4.0, reference="other", epoch=9))
    assert [(row.trial, row.value) for row in best(studied, "s")] == [
        (0, 1.0),
        (1, 2.0),
        (2, 3.0),
        (3, 4.0),
    ]


def test_several_seeds_are_averaged_and_the_last_epoch_counts(studied: Storage) -> None:
    write(studied, "s", again(0, 99.0, epoch=1))
    write(studied, "s", *(again(0, value, seed=seed) for seed, value in enumerate([1.0, 2.0, 6.0])))
    ((row,),) = (group.trials for group in rescored(studied, "s"))
    assert (row.value, row.seeds) == (3.0, 3)
    assert row.spread == pytest.approx(math.sqrt((4 + 1 + 9) / 2 / 3))


def test_the_table(studied: Storage) -> None:
    for trial, value in enumerate([2.0, 1.0, 3.0]):
        write(studied, "s", again(trial, value, spread=0.1, weights="trained"))
    (group,) = rescored(studied, "s")
    text = to_text(rescore_table(group, 80), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.startswith("fd_lenet of 256 images by ddim in 250 steps, the trained weights")
    rows = [line.split() for line in text.splitlines()]
    assert ["1", "1", "1.00", "±", "0.20", "1", "2", "2"] in rows
    assert ["2", "0", "2.00", "±", "0.20", "1", "1", "1"] in rows
    assert "Kendall's tau 0.33" in text


def test_a_study_that_was_not_rescored(ranked: Storage) -> None:
    assert rescored(ranked, "s") == []
