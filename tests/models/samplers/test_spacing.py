from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from models.samplers import (
    respaced,
)


@given(st.integers(1, 1000), st.data())
def test_the_timesteps_visited_fall_within_range(timesteps: int, data: st.DataObject) -> None:
    steps = data.draw(st.integers(1, timesteps))
    trailing = respaced(timesteps, steps, "trailing")
    leading = respaced(timesteps, steps, "leading")
    for visited in (trailing, leading):
        assert len(visited) == len(set(visited)) == steps
        assert visited == sorted(visited, reverse=True)
        assert 0 <= visited[-1] <= visited[0] < timesteps
    assert trailing[0] == timesteps - 1
    assert leading[-1] == 0
