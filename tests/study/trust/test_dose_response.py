from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from study.trust.dose_response import LevelScores, Response, smallest_difference, threshold


def response(*levels: tuple[float, float, float]) -> Response:
    """Five scores a level, of (level, mean, deviation)."""
    pattern = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    pattern /= pattern.std(ddof=1)
    return Response(
        "noise",
        tuple(
            LevelScores(level, tuple((mean + deviation * pattern).tolist()))
            for level, mean, deviation in levels
        ),
    )


def verdict(response: Response) -> str:
    return response.verdict(lambda level: f"{level:g}")


def test_the_smallest_difference_is_one_that_chance_exceeds_in_one_case_of_twenty() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(3, 0.7, (20_000, 7))  # five to estimate from, two to compare
    exceeded = [
        abs(draw[5] - draw[6]) > smallest_difference(LevelScores(0, tuple(draw[:5])))
        for draw in draws
    ]
    assert np.mean(exceeded) == pytest.approx(0.05, abs=0.006)


def test_of_many_scores_it_is_the_normal_distributions() -> None:
    values = tuple(stats.norm.ppf((np.arange(5000) + 0.5) / 5000).tolist())
    clean = LevelScores(0, values)
    assert smallest_difference(clean) == pytest.approx(1.96 * math.sqrt(2), rel=2e-3)


@pytest.mark.parametrize("counts", [(5, 5), (3, 9)])
def test_the_threshold_is_welchs(counts: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    a, b = (rng.normal(0, scale, n) for scale, n in zip((1, 3), counts, strict=True))
    limit = threshold(LevelScores(0, tuple(a)), LevelScores(1, tuple(b)))
    # scipy's is for means of n values; make the "values" means of one by scaling their deviation.
    found = stats.ttest_ind_from_stats(
        limit, a.std(ddof=1) * counts[0] ** 0.5, counts[0],
        0.0, b.std(ddof=1) * counts[1] ** 0.5, counts[1],
        equal_var=False,
    )  # fmt: skip
    assert found.pvalue == pytest.approx(0.05, rel=1e-6)


def test_overlap_widens_the_spread() -> None:
    assert LevelScores(0, (1.0, 3.0), 2.0).spread == pytest.approx(2 * math.sqrt(2))


def test_it_rises_at_every_step() -> None:
    found = response((0, 1, 0.1), (1, 2, 0.1), (2, 4, 0.1))
    assert verdict(found) == "rises at every step"
    assert found.kind == "rises"
    assert found.detected == (False, True, True)
    assert (found.detection_limit, found.limit_is_bound) == (1, True)
    assert found.rank_correlation == pytest.approx(
        stats.spearmanr(np.repeat([0, 1, 2], 5), [v for s in found.scores for v in s.values])[0]
    )


def test_steps_within_the_noise_are_named() -> None:
    found = response((0, 1, 0.1), (1, 1.1, 0.1), (2, 1.2, 0.1), (4, 3, 0.1), (8, 3.05, 0.1))
    assert found.kind == "rises_with_ties"
    assert verdict(found) == "rises; not told apart: 0 to 2, 4 to 8"
    assert not found.limit_is_bound


def test_where_the_curve_crosses() -> None:
    found = response((0, 1, 0.1), (2, 1.1, 0.1), (4, 2, 0.1))
    limit = stats.t.ppf(0.975, 8) * 0.1 * math.sqrt(2)
    assert found.detection_limit == pytest.approx(2 + 2 * (limit - 0.1) / 0.9, rel=1e-9)


def test_one_that_sees_nothing() -> None:
    found = response((0, 1, 0.1), (1, 1.02, 0.1), (2, 0.99, 0.1))
    assert verdict(found) == "cannot tell"
    assert found.detection_limit is None
    constant = response((0, 1, 0), (1, 1, 0))
    assert verdict(constant) == "cannot tell"
    assert constant.rank_correlation is None


def test_one_that_falls() -> None:
    found = response((0, 1, 0.1), (1, 3, 0.1), (2, 2, 0.1), (4, 5, 0.1))
    assert found.kind == "falls"
    assert verdict(found) == "falls from 1 to 2"
    slow = response((0, 2, 0.1), (1, 1.8, 0.1), (2, 1.6, 0.1), (4, 1.4, 0.1))
    assert verdict(slow) == "falls from 0 to 4"  # by less than chance at each step
    assert slow.detection_limit is None  # apart, but called better


def test_without_any_spread_each_step_counts() -> None:
    assert verdict(response((0, 1, 0), (1, 1 + 1e-9, 0))) == "rises at every step"
    assert verdict(response((0, 1, 0), (1, 1 - 1e-9, 0))) == "falls from 0 to 1"
