from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from study_trees import quickly

from study.spec.hole_parts import flow_yaml
from study.spec.yaml_file import parse_scalar


@quickly
@given(
    st.recursive(
        st.integers()
        | st.floats(1e-9, 1e9).map(lambda x: float(f"{x:.9g}"))
        | st.booleans()
        | st.none()
        | st.sampled_from(["adam", "a b", "1", "true", "a: b", "on_x"]),
        lambda below: (
            st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("abc"), below, max_size=3)
        ),
    )
)
def test_what_is_shown_is_yaml(value: Any) -> None:
    assert parse_scalar(flow_yaml(value)) == value
