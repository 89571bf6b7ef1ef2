"""Intervals and ties against scipy's, a closed form, and simulations with known variances."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from study.results.intervals import Runs, standings, variance_split

MEANS = (2.0, 2.2, 2.5, 3.0, 3.0)
UNEVEN = ((2, 2, 2), (2, 1, 3, 2), (2, 2), (1, 4, 2), (2, 2, 2, 2))  # scores of each run


def simulate(
    rng: np.random.Generator,
    means: tuple[float, ...],
    counts: tuple[tuple[int, ...], ...],
    training: float,
    sampling: float,
) -> dict[int, Runs]:
    """Scores whose logarithms are normal, with known variances."""
    return {
        candidate: [
            list(mean * np.exp(offset + sampling * rng.normal(size=count)))
            for count, offset in zip(runs, training * rng.normal(size=len(runs)), strict=True)
        ]
        for candidate, (mean, runs) in enumerate(zip(means, counts, strict=True))
    }


def test_a_nested_analysis_of_variance_by_hand() -> None:
    """Two candidates of two runs of two scores, on the plain scale (one score is negative)."""
    split = variance_split({0: [[1.0, 3.0], [4.0, 6.0]], 1: [[-1.0, 1.0], [2.0, 4.0]]})
    assert not split.relative
    assert split.sampling_freedom == 4
    assert split.sampling == pytest.approx(math.sqrt(2))  # each run: mean +- 1, sum of squares 2
    assert split.training_freedom == 2
    assert split.total == pytest.approx(math.sqrt(4.5))  # run means 2, 5 and 0, 3
    assert split.training == pytest.approx(math.sqrt(4.5 - 2 / 2))


def test_training_that_explains_nothing_is_nought() -> None:
    split = variance_split({0: [[-1.0, 9.0], [9.0, -1.0]]})
    assert split.training == 0
    assert split.total == 0


def test_what_cannot_be_known_is_none() -> None:
    ones = variance_split({0: [[1.0]], 1: [[2.0]]})
    assert (ones.sampling, ones.training, ones.total) == (None, None, None)
    runs = variance_split({0: [[1.0], [2.0]], 1: [[2.0]]})
    assert (runs.sampling, runs.training) == (None, None)
    assert runs.total == pytest.approx(math.log(2) / math.sqrt(2))
    seeds = variance_split({0: [[1.0, 2.0]]})
    assert seeds.sampling == pytest.approx(math.log(2) / math.sqrt(2))
    assert (seeds.training, seeds.total) == (None, None)


@pytest.mark.parametrize("counts", [(3, 3, 3, 3), (2, 5, 3, 4)], ids=["even", "uneven"])
@pytest.mark.parametrize("shift", [0.0, -50.0], ids=["logarithms", "plain scores"])
def test_ties_and_intervals_are_those_of_scipy(counts: tuple[int, ...], shift: float) -> None:
    """With one score a run, it is the textbook's one-way layout: Tukey and Kramer's test."""
    rng = np.random.default_rng(5)
    seen = set()
    for spread in (0.05, 0.2, 0.4):
        candidates = {
            i: [[mean * math.exp(spread * rng.normal()) + shift] for _ in range(count)]
            for i, (mean, count) in enumerate(zip((2.0, 2.6, 3.4, 4.4), counts, strict=True))
        }
        scaled = [
            np.log(runs).ravel() if shift == 0 else np.ravel(runs) for runs in candidates.values()
        ]
        theirs = stats.tukey_hsd(*scaled)
        freedom = sum(counts) - len(counts)
        pooled = math.sqrt(sum(((g - g.mean()) ** 2).sum() for g in scaled) / freedom)
        rows = {row.candidate: row for row in standings(candidates)}
        first = min(rows.values(), key=lambda row: row.mean).candidate
        for i, row in rows.items():
            if i != first:
                assert row.contends == (theirs.pvalue[first, i] > 0.05)
                seen.add(row.contends)
            ends = stats.t.interval(0.95, freedom, scaled[i].mean(), pooled / math.sqrt(counts[i]))
            assert row.low is not None
            assert row.high is not None
            assert (row.low, row.high) == pytest.approx(np.exp(ends) if shift == 0 else ends)
    assert seen == {True, False}


def test_several_scores_a_run_count_as_their_mean() -> None:
    rng = np.random.default_rng(1)
    candidates = simulate(rng, MEANS, ((2, 2, 2),) * 5, 0.1, 0.05)
    means = {c: [[math.exp(np.log(run).mean())] for run in runs] for c, runs in candidates.items()}
    for row, other in zip(standings(candidates), standings(means), strict=True):
        assert (row.low, row.high) == pytest.approx((other.low, other.high))
        assert (row.runs, row.scores) == (3, 6)


@pytest.mark.slow
@pytest.mark.parametrize("counts", [((2, 2, 2),) * 5, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize(
    ("training", "sampling"), [(0.1, 0.02), (0.02, 0.1)], ids=["training", "sampling"]
)
def test_intervals_hold_the_mean_and_the_split_is_unbiased(
    counts: tuple[tuple[int, ...], ...], training: float, sampling: float
) -> None:
    rng = np.random.default_rng(7)
    repeats = 1000
    covered = np.zeros((repeats, len(MEANS)))
    within, between = np.zeros(repeats), np.zeros(repeats)
    for repeat in range(repeats):
        candidates = simulate(rng, MEANS, counts, training, sampling)
        for row in standings(candidates):
            assert row.low is not None
            assert row.high is not None
            covered[repeat, row.candidate] = row.low <= MEANS[row.candidate] <= row.high
        split = variance_split(candidates)
        assert split.sampling is not None
        assert split.training is not None
        within[repeat], between[repeat] = split.sampling**2, split.training**2
    # Standard errors: 0.004 over all, 0.007 for each candidate.
    assert covered.mean() == pytest.approx(0.95, abs=0.015)
    assert covered.mean(0) == pytest.approx([0.95] * 5, abs=0.025)
    assert math.sqrt(within.mean()) == pytest.approx(sampling, rel=0.03)
    if training > sampling:  # else it is often held at 0, which raises its mean
        assert math.sqrt(between.mean()) == pytest.approx(training, rel=0.03)


@pytest.mark.parametrize("counts", [((2, 2, 2),) * 5, UNEVEN], ids=["even", "uneven"])
def test_equals_are_seldom_told_apart_and_others_often(
    counts: tuple[tuple[int, ...], ...],
) -> None:
    rng = np.random.default_rng(11)
    repeats = 1000
    false = sum(
        standings(simulate(rng, (2.0,) * 5, counts, 0.1, 0.05))[-1].group > 0
        for _ in range(repeats)
    )
    # At most 5 % for any pair, here of the first of a group with a later one; standard error 0.7 %.
    assert false / repeats < 0.06
    better = (1.2, 2.0, 2.0, 2.0, 2.0)
    found = sum(
        [
            row.candidate
            for row in standings(simulate(rng, better, counts, 0.1, 0.05))
            if row.contends
        ]
        == [0]
        for _ in range(200)
    )
    assert found / 200 > 0.9


def test_groups_and_ranks() -> None:
    rows = standings(
        {
            7: [[1.00], [1.02]],
            3: [[1.01], [1.03]],
            5: [[2.00], [2.02]],
            2: [[2.01], [2.03]],
            9: [[4.00], [4.02]],
        }
    )
    assert [row.candidate for row in rows] == [7, 3, 5, 2, 9]
    assert [row.rank for row in rows] == [1, 1, 3, 3, 5]
    assert [row.group for row in rows] == [0, 0, 1, 1, 2]
    assert [row.tied for row in rows] == [True, True, True, True, False]
    assert [row.contends for row in rows] == [True, True, False, False, False]


def test_one_run_each_tells_nobody_apart() -> None:
    candidates: dict[int, Runs] = {0: [[1.0, 1.1]], 1: [[9.0, 9.1]]}
    rows = standings(candidates)
    assert all((row.low, row.high, row.rank) == (None, None, 1) for row in rows)
    assert all(row.contends for row in rows)


def test_a_candidate_of_one_run_borrows_the_variance_of_the_others() -> None:
    rows = {row.candidate: row for row in standings({0: [[1.0], [1.1], [0.9]], 1: [[3.0]]})}
    widths = [math.log((row.high or 0) / (row.low or 1)) for row in (rows[0], rows[1])]
    assert widths[1] == pytest.approx(widths[0] * math.sqrt(3))


def test_scores_that_never_vary() -> None:
    rows = standings({0: [[1.0], [1.0]], 1: [[1.0], [1.0]], 2: [[2.0], [2.0]]})
    assert [row.rank for row in rows] == [1, 1, 3]
    assert (rows[0].low, rows[0].high) == (1, 1)


@pytest.mark.parametrize(
    "candidates", [{}, {0: []}, {0: [[]]}, {0: [[1.0], []]}, {0: [[math.nan]]}, {0: [[math.inf]]}]
)
def test_no_scores_and_no_numbers_are_refused(candidates: dict[int, Runs]) -> None:
    for function in (standings, variance_split):
        with pytest.raises(ValueError, match="must"):
            function(candidates)


SCORES = st.lists(st.floats(0.1, 100), min_size=1, max_size=3)
CANDIDATES = st.dictionaries(
    st.integers(0, 99), st.lists(SCORES, min_size=1, max_size=4), min_size=1, max_size=5
)


@given(CANDIDATES, st.floats(0.01, 100))
def test_the_unit_of_the_score_does_not_matter(candidates: dict[int, Runs], factor: float) -> None:
    """And standings keep their promises, whatever the scores."""
    rows = standings(candidates)
    scaled = {c: [[factor * s for s in run] for run in r] for c, r in candidates.items()}
    others = {row.candidate: row for row in standings(scaled)}
    for row in rows:
        other = others[row.candidate]
        assert other.mean == pytest.approx(factor * row.mean)
        if row.low is not None and row.high is not None:
            assert (other.low, other.high) == pytest.approx((factor * row.low, factor * row.high))
    assert sorted(row.candidate for row in rows) == sorted(candidates)
    assert [row.mean for row in rows] == sorted(row.mean for row in rows)
    assert rows[0].rank == 1
    assert rows[0].contends
    for before, after in itertools.pairwise(rows):
        assert after.group - before.group in (0, 1)
        assert (after.rank == before.rank) == (after.group == before.group)
    members = np.array([row.group for row in rows])
    sizes: NDArray[np.int64] = np.bincount(members)
    assert [row.tied for row in rows] == [bool(sizes[row.group] > 1) for row in rows]
