from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import complete, pruned, score, spec, write

from study.results.leaderboard import read_leaderboard
from study.results.leaderboard_tables import front_table
from study.results.pareto import front
from study.results.ranking import RankedTrial
from study.results.render import to_text
from study.results.storage import Storage

NAMES = ("score", "steps", "parameters")


def row(trial: int, value: float, **more: object) -> RankedTrial:
    known = {"steps": 10, "parameters": 100, "train_seconds": 1.0, **more}
    return RankedTrial(trial + 1, trial, value, "complete", 4, 1.0, {}, **known)  # type: ignore[arg-type]


@given(st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=15))
def test_the_front_is_what_nothing_dominates(points: list[tuple[int, int, int]]) -> None:
    """By the definition, pair by pair."""
    points.sort()
    rows = [row(i, float(v), steps=s, parameters=p) for i, (v, s, p) in enumerate(points)]
    found = front(rows, NAMES)
    for index, point in enumerate(points):
        dominated = any(
            all(a <= b for a, b in zip(other, point, strict=True))
            and any(a < b for a, b in zip(other, point, strict=True))
            for other in points
        )
        assert (index in [r.trial for r in found.dominated]) == dominated
        assert (index in [r.trial for r in found.members]) != dominated
    values = [r.value for r in found.members]
    assert values == sorted(values)


def test_pruned_and_unmeasured_trials_are_on_neither_side() -> None:
    rows = [replace(row(0, 1.0), state="pruned"), row(1, 2.0, parameters=None), row(2, 3.0)]
    found = front(rows, NAMES)
    assert ([r.trial for r in found.members], found.dominated) == ([2], ())


@pytest.fixture
def studied(storage: Storage) -> Storage:
    """Of steps 10, 20, 40, 40: trial 3 is dominated by trial 2; trial 4 was pruned."""
    storage.claim("s", "")
    for trial, (value, steps) in enumerate([(4.0, 10), (2.0, 20), (1.0, 40), (3.0, 40), (0.5, 5)]):
        end = complete if trial < 4 else pruned
        picks = {"score.steps": steps}
        trial_row = replace(end(trial, value, 4), spec=spec(objectives=("score", "steps")))
        how = replace(score(trial, value), steps=steps, spread=0.1)
        write(storage, "s", how, replace(trial_row, picks=picks, parameters=123_456))
    return storage


def test_the_front_of_a_study(studied: Storage) -> None:
    found = read_leaderboard(studied, "s")
    assert found.front is not None
    assert found.front.objectives == ("score", "steps")
    assert [r.trial for r in found.front.members] == [2, 1, 0]
    lead = found.leader
    assert lead is not None
    assert (lead.trial, lead.run, lead.final) == (2, 2, False)
    text = to_text(front_table(found.front, 80), 80)
    lines = [line.split() for line in text.splitlines()]
    assert ["2", "1.00", "±", "0.20", "40"] in lines
    assert "1 other complete trial is dominated" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_study_of_one_objective_has_no_front(ranked: Storage) -> None:
    assert read_leaderboard(ranked, "s").front is None
