from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.results.rank_correlation import agreement


@given(st.lists(st.integers(0, 10**6), min_size=3, max_size=12, unique=True), st.randoms())
def test_the_coefficients_are_those_of_the_definitions(values: list[int], random: object) -> None:
    """Without equal scores: pairs in the same order less the others; squared distance of ranks."""
    others = list(values)
    random.shuffle(others)  # type: ignore[attr-defined]
    pairs = [(float(a), float(b)) for a, b in zip(values, others, strict=True)]
    n = len(pairs)
    signs = [1 if (a < c) == (b < d) else -1 for (a, b), (c, d) in combinations(pairs, 2)]
    ranks = [(sorted(values).index(a), sorted(others).index(b)) for a, b in pairs]
    distance = sum((a - b) ** 2 for a, b in ranks)
    found = agreement(pairs)
    assert found is not None
    assert found.kendall == pytest.approx(sum(signs) / len(signs))
    assert found.spearman == pytest.approx(1 - 6 * distance / (n * (n**2 - 1)))
    assert found.count == n


def test_too_few_or_equal_scores_say_nothing() -> None:
    assert agreement([]) is None
    assert agreement([(1, 2), (2, 3)]) is None
    assert agreement([(1, 2), (2, 3), (None, 4), (5, None)]) is None
    assert agreement([(1, 2), (1, 3), (1, 4)]) is None


def test_it_is_told_in_words() -> None:
    found = agreement([(1, 1), (2, 3), (3, 2)])
    assert str(found) == "Kendall's tau 0.33, Spearman's rho 0.50 over 3 trials"
