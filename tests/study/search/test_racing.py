from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.search.racing import FIRST_ROUND, Run, next_finalist


def race(
    levels: dict[int, float], noise: float, training_seeds: int, seed: int = 0
) -> dict[int, list[Run]]:
    """Run a race to its end, one training at a time; two scores a training."""
    generator = np.random.default_rng(seed)
    runs: dict[int, list[Run]] = {finalist: [] for finalist in levels}
    while (chosen := next_finalist(runs, training_seeds)) is not None:
        level = levels[chosen] + generator.normal(0, noise)
        runs[chosen].append(tuple(level + generator.normal(0, noise / 10, 2)))
    return runs


def test_everybody_gets_the_first_round_the_better_of_the_search_first() -> None:
    runs: dict[int, list[Run]] = {7: [], 3: [], 5: []}
    order = []
    for _ in range(6):
        chosen = next_finalist(runs, 3)
        assert chosen is not None
        order.append(chosen)
        runs[chosen].append(None)  # all in hand at once
    assert order == [7, 3, 5, 7, 3, 5]
    assert next_finalist(runs, 3) is None  # who is next depends on how these end


def test_a_training_goes_where_the_order_is_open() -> None:
    runs: dict[int, list[Run]] = {
        0: [(1.00, 1.01), (1.20, 1.21)],
        1: [(1.02, 1.03), (1.22, 1.23)],
        2: [(9.00, 9.01), (9.20, 9.21)],
    }
    assert next_finalist(runs, 3) in (0, 1)
    runs[0].append((1.1, 1.1))
    assert next_finalist(runs, 3) == 1  # the fewer of the two


def test_no_training_is_spent_on_a_clear_order() -> None:
    levels = {0: 1.0, 1: 5.0, 2: 9.0}
    runs = race(levels, 0.01, training_seeds=5)
    assert {finalist: len(of_one) for finalist, of_one in runs.items()} == dict.fromkeys(
        levels, FIRST_ROUND
    )


def test_what_a_clear_place_saves_goes_to_an_open_one() -> None:
    runs = race({0: 1.0, 1: 1.0, 2: 9.0}, 0.1, training_seeds=4)
    assert len(runs[2]) == FIRST_ROUND
    assert len(runs[0]) + len(runs[1]) == 4 * 3 - FIRST_ROUND
    assert abs(len(runs[0]) - len(runs[1])) <= 1


def test_an_open_second_place_is_run_out_too() -> None:
    runs = race({0: 1.0, 1: 5.0, 2: 5.0}, 0.01, training_seeds=4)
    assert len(runs[0]) == FIRST_ROUND
    assert len(runs[1]) + len(runs[2]) == 4 * 3 - FIRST_ROUND


def test_a_failed_training_costs_its_share_and_is_never_compared() -> None:
    runs: dict[int, list[Run]] = {0: [(), ()], 1: [(2.0,), (2.1,)], 2: [(2.05,), (1.9,)]}
    assert next_finalist(runs, 3) in (1, 2)
    assert next_finalist({0: [(), ()], 1: [(), ()]}, 3) is None


def test_one_training_each_is_all_that_a_budget_of_one_has() -> None:
    assert {len(of_one) for of_one in race({0: 1.0, 1: 1.0}, 0.1, 1).values()} == {1}


def test_a_later_training_in_hand_does_not_hold_up_the_next_one() -> None:
    runs: dict[int, list[Run]] = {0: [(1.0,), (1.2,), None], 1: [(1.1,), (1.3,)]}
    assert next_finalist(runs, 4) == 1


@given(
    levels=st.lists(st.floats(0.5, 2), min_size=1, max_size=5),
    noise=st.floats(0.001, 0.5),
    training_seeds=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_the_budget_is_never_overspent(
    levels: list[float], noise: float, training_seeds: int, seed: int
) -> None:
    runs = race(dict(enumerate(levels)), noise, training_seeds, seed)
    spent = [len(of_one) for of_one in runs.values()]
    assert sum(spent) <= training_seeds * len(levels)
    assert min(spent) >= min(FIRST_ROUND, training_seeds)


@pytest.mark.parametrize("training_seeds", [3, 6])
def test_more_seeds_find_the_better_of_two(training_seeds: int) -> None:
    def wins(winner: Callable[[dict[int, list[Run]]], int]) -> int:
        return sum(
            winner(race({0: 1.05, 1: 1.0}, 0.1, training_seeds, seed)) == 1 for seed in range(60)
        )

    def by_mean(runs: dict[int, list[Run]]) -> int:
        return min(runs, key=lambda one: float(np.mean([run for run in runs[one] if run])))

    def by_first(runs: dict[int, list[Run]]) -> int:
        return min(runs, key=lambda one: (runs[one][0] or (0.0,))[0])

    assert wins(by_mean) > wins(by_first)
