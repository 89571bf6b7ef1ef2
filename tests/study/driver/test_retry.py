from __future__ import annotations

import pytest

from study.driver.retry import RetryPolicy


@pytest.mark.parametrize("most", [0, 1, 3])
def test_a_trial_survives_as_many_deaths_as_it_may_and_no_more(most: int) -> None:
    policy = RetryPolicy(worker_deaths=most)
    assert not any(policy.gives_up(deaths) for deaths in range(most + 1))
    assert policy.gives_up(most + 1)
