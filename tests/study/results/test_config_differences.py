from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from study.results.config_differences import shorten, varying


def test_varying() -> None:
    assert varying([]) == []
    assert varying([{"a": 1, "b": 1}, {"a": 1, "b": 2, "c": 3}]) == ["b", "c"]
    assert varying([{"a": 1}, {"a": True}]) == ["a"]


def test_shorten() -> None:
    assert shorten(["model.schedule.cosine.max_beta", "train.learning_rate"]) == {
        "model.schedule.cosine.max_beta": "max_beta",
        "train.learning_rate": "learning_rate",
    }
    assert shorten(["a.x.beta", "b.x.beta"]) == {"a.x.beta": "a.x.beta", "b.x.beta": "b.x.beta"}
    assert shorten(["model.schedule", "schedule"])["schedule"] == "schedule"


PATHS = st.lists(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(".".join), unique=True
)


@given(PATHS)
def test_short_names_are_unique_endings(names: list[str]) -> None:
    short = shorten(names)
    assert list(short) == names
    assert len(set(short.values())) == len(names)
    assert all(name.endswith(ending) for name, ending in short.items())
