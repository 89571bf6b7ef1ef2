from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from study_trees import quickly

from study.spec.score import Rung, Score

ends = st.lists(st.integers(1, 20), max_size=3, unique=True).map(sorted)


@st.composite
def rungs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rungs that go up, some with fewer images or a cheaper metric; the last one open."""
    listed: list[dict[str, Any]] = []
    for end in [*draw(ends), None]:
        rung: dict[str, Any] = {"epochs": draw(st.integers(1, 7))}
        if end is not None:
            rung["until"] = end
        if draw(st.booleans()):
            rung["samples"] = draw(st.integers(2, 100))
        if draw(st.booleans()):
            rung["metric"] = "sliced_wasserstein"
        listed.append(rung)
    return listed


def score(**keys: Any) -> Score:
    return Score.model_validate({"metric": "fd_pixels", "samples": 100, "also": ["kid"], **keys})


def rule(**keys: Any) -> tuple[tuple[int | str, ...], str]:
    """What is wrong, with its place where it lies below the section."""
    with pytest.raises(ValidationError) as caught:
        score(**keys)
    (error,) = caught.value.errors()
    ours = error["ctx"]["error"]
    return (*error["loc"], *getattr(ours, "path", ())), str(ours)


def test_every_so_many_epochs() -> None:
    every = score(every=3)
    assert every.rungs == (Rung(epochs=3),)
    assert [epoch for epoch in range(1, 11) if every.scores_at(epoch)] == [3, 6, 9]
    assert every.taken(10) == (every,) * 4  # the last epoch too, whatever its number
    assert every.taken(9) == (every,) * 3


def test_a_rung_counts_from_where_it_begins_and_its_last_epoch_is_scored() -> None:
    climbing = score(every=[{"until": 5, "epochs": 2}, {"until": 8, "epochs": 4}, {"epochs": 3}])
    scored = [epoch for epoch in range(1, 16) if climbing.scores_at(epoch)]
    assert scored == [2, 4, 5, 8, 11, 14]


@quickly
@given(rungs(), st.integers(1, 30))
def test_what_is_measured_is_the_rungs_until_the_last_which_is_the_whole(
    every: list[dict[str, Any]], epochs: int
) -> None:
    whole = score(every=every)
    scored = [e for e in range(1, epochs) if whole.scores_at(e)]
    taken = whole.taken(epochs)
    assert len(taken) == len(scored) + 1
    assert taken[-1] == whole.at(epochs, last=True) == whole
    for epoch, one in zip(scored, taken, strict=False):
        rung = whole.rung(epoch)
        assert rung in whole.rungs
        assert rung.until is None or epoch <= rung.until
        assert one == whole.on(rung)
        assert one.samples == (rung.samples or 100)
        assert one.metric_name == (rung.metric or "fd_pixels")
        # Beside a cheaper metric nothing is measured: its embedder may be another.
        assert one.also == (() if rung.metric else ("kid",))
        full = rung.metric is None and rung.samples in (None, 100)
        assert whole.is_full(epoch) == full
    assert set(whole.embedder_names) >= {one.embedder_name for one in taken}
    assert len(set(whole.embedder_names)) == len(whole.embedder_names)


def test_a_rung_with_the_metric_of_the_whole_keeps_what_stands_beside_it() -> None:
    first = score(every=[{"until": 2, "metric": "fd_pixels", "samples": 9}, {}]).at(1, last=False)
    assert (first.metric, first.also, first.samples) == ("fd_pixels", ("kid",), 9)


def test_a_metric_names_its_measure_and_embedder() -> None:
    assert score().measures == ("fd", "kid")
    assert score().embedder_names == ("pixels",)
    own = score(metric="fd", embedder="mine:Net")
    assert (own.embedder_name, own.metric_name) == ("mine:Net", "fd_custom")


@pytest.mark.parametrize(
    ("keys", "path", "message"),
    [
        ({"metric": "fidd"}, ("metric",), "unknown metric 'fidd': known are fid, "),
        ({"embedder": "lpips"}, ("embedder",), "unknown embedder 'lpips': known are "),
        ({"also": ["kyd"]}, ("also",), "unknown measure 'kyd': known are "),
        ({"also": ["kid", "kid"]}, ("also",), "kid, kid names one twice"),
        ({"also": ["fd"]}, ("also",), "fd is what fd_pixels measures already"),
        ({"metric": "fd"}, ("embedder",), "`metric: fd` needs an embedder"),
        (
            {"metric": "fd", "embedder": "vae"},
            ("embedder",),
            "with 'vae' the metric is called fd_vae: say so",
        ),
        ({"embedder": "vae"}, ("embedder",), "'vae' must be 'pixels', which fd_pixels means"),
        ({"every": []}, ("every",), "the list of rungs is empty, but must have one or mor"),
        ({"every": [{}, {}]}, ("every",), "`until` must be given for every rung but the"),
        ({"every": [{"until": 3}]}, ("every",), "`until` must be given for every rung"),
        (
            {"every": [{"until": 3}, {"until": 3}, {}]},
            ("every",),
            "`until` is 3, 3, but must rise",
        ),
        (
            {"every": [{"until": 3, "metric": "fd"}, {}]},
            ("every", 0, "metric"),
            "fd can stand here only if score.metric is fd",
        ),
        (
            {"every": [{"until": 3}, {"samples": 101}]},
            ("every", 1, "samples"),
            "101 must be <= score.samples (100)",
        ),
    ],
)
def test_a_score_that_cannot_be_says_why(
    keys: dict[str, Any], path: tuple[int | str, ...], message: str
) -> None:
    where, said = rule(**keys)
    assert where[: len(path)] == path
    assert said.startswith(message)


def test_a_misspelt_metric_of_a_rung_is_named_with_what_it_may_have_meant() -> None:
    where, said = rule(every=[{"until": 3, "metric": "sliced_waserstein"}, {}])
    assert where[-1] == "metric"
    assert said.endswith("did you mean `sliced_wasserstein`?")


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 23, 24, 25])
@pytest.mark.parametrize(
    "every",
    [
        1,
        4,
        [{"until": 3, "epochs": 2, "samples": 10}, {"epochs": 5}],
        [{"until": 2, "samples": 10}, {"until": 10, "epochs": 3, "samples": 20}, {"epochs": 1}],
        [{"until": 24, "epochs": 5, "samples": 10}, {"epochs": 7}],
    ],
)
def test_scores_are_counted_as_they_are_taken(every: Any, epochs: int) -> None:
    score = Score.model_validate({"samples": 100, "every": every})
    counted = Counter({one.model_dump_json(): 0 for one, _ in score.counted(epochs)})
    for one, count in score.counted(epochs):
        counted[one.model_dump_json()] += count
    assert counted == Counter(one.model_dump_json() for one in score.taken(epochs))
