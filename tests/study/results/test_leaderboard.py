from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_rows import START, complete, pruned, report, running, score, write

from study.results.leaderboard import (
    best,
    leaderboard_table,
    newest_study,
    rank,
    shorten,
    status,
    study_summary,
    summary_table,
    varying,
)
from study.results.render import to_text
from study.results.storage import Storage
from study.results.tables import Row
from study.spec.errors import UserError


@pytest.fixture
def ranked(storage: Storage) -> Storage:
    storage.claim("s", "")
    failed = replace(complete(3, 1.0), state="failed", value=None, reason="the loss is nan")
    rows: list[Row] = [
        *(score(0, 5.0), complete(0, 5.0, lr=0.1, size=28)),
        *(score(1, 3.0), complete(1, 3.0, lr=0.01, size=28)),
        *(score(2, 3.0, epoch=1), pruned(2, 3.0, lr=0.01, size=28, schedule__cosine__offset=0.5)),
        *(failed, running(4), report(4, 1, value=0.5)),
    ]
    write(storage, "s", *rows)
    return storage


def test_complete_before_pruned_before_worse(ranked: Storage) -> None:
    rows = best(ranked, "s")
    assert [(row.rank, row.trial, row.state) for row in rows] == [
        (1, 1, "complete"),
        (2, 2, "pruned"),
        (3, 0, "complete"),
    ]
    assert rows[0].config == {"lr": 0.01, "size": 28}
    assert rows[1].epoch == 1
    assert rows[0].seconds == 35.0
    assert [row.trial for row in best(ranked, "s", top=1)] == [1]
    assert [row.trial for row in best(ranked, "s", direction="maximize")] == [0, 1, 2]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", "fid"),
        ("samples", 512),
        ("sampler", "ancestral"),
        ("steps", None),
        ("embedder", "lenet:2"),
        ("reference", "mnist:2"),
    ],
)
def test_scores_of_two_identities_are_not_ranked(storage: Storage, field: str, value: Any) -> None:
    storage.claim("s", "")
    other = replace(score(1, 2.0), **{field: value})
    write(storage, "s", score(0, 1.0), complete(0, 1.0), other, complete(1, 2.0))
    with pytest.raises(UserError, match=f"Trials 0 and 1 .*`{field}`") as caught:
        best(storage, "s")
    assert repr(value) in str(caught.value)
    assert status(storage, "s").best_trial is None


@pytest.mark.parametrize(
    ("picks", "config"),
    [('{"score.steps": 20}', {}), ("{}", {"score__sampler__kind": "auto"})],
    ids=["searched", "the family's own"],
)
def test_a_sampler_that_belongs_to_the_trial_does_not_keep_it_from_the_ranking(
    storage: Storage, picks: str, config: dict[str, Any]
) -> None:
    storage.claim("s", "")
    other = replace(score(1, 2.0), sampler="improved", steps=10)
    trials = [replace(complete(trial, trial + 1.0, **config), picks=picks) for trial in (0, 1)]
    write(storage, "s", score(0, 1.0), trials[0], other, trials[1])
    assert [row.trial for row in best(storage, "s")] == [0, 1]

    fixed = replace(score(2, 3.0), reference="mnist:2")  # anything else still does
    write(storage, "s", fixed, replace(complete(2, 3.0, **config), picks=picks))
    with pytest.raises(UserError, match=r"Trials 0 and 2 .*`reference`"):
        best(storage, "s")


def test_seed_and_stage_are_no_part_of_the_identity(storage: Storage) -> None:
    storage.claim("s", "")
    final = replace(score(0, 1.1), stage="final", sampler="ancestral", steps=1000)
    other = replace(score(1, 2.0), seed=7)
    write(storage, "s", score(0, 1.0), final, complete(0, 1.0), other, complete(1, 2.0))
    assert [row.trial for row in best(storage, "s")] == [0, 1]


def test_a_trial_may_go_on_after_its_last_score_and_have_others(storage: Storage) -> None:
    storage.claim("s", "")
    beside = replace(score(0, 0.5), metric="kid")
    write(storage, "s", score(0, 9.0, epoch=2), score(0, 5.0, epoch=4), beside, pruned(0, 5.0, 6))
    write(storage, "s", score(1, 3.0), complete(1, 3.0))
    assert [(row.trial, row.epoch) for row in best(storage, "s")] == [(1, 4), (0, 6)]


def test_a_value_without_a_score_is_not_ranked(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", complete(0, 1.0))
    with pytest.raises(UserError, match="Trial 0 cannot be ranked: no score says"):
        best(storage, "s")


def test_the_nearest_study_is_named(ranked: Storage) -> None:
    ranked.claim("mnist", "")
    for function in (best, status):
        with pytest.raises(UserError, match="did you mean 'mnist'"):
            function(ranked, "minst")
    assert best(ranked, "mnist") == []


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=12))
def test_ranks_are_sorted_and_complete(values: list[float]) -> None:
    trials = [
        {"trial": i, "state": "complete", "value": v, "epoch": 1, "train_seconds": None}
        | {"score_seconds": None}
        for i, v in enumerate(values)
    ]
    scores = [vars(score(i, v, epoch=1)) for i, v in enumerate(values)]
    for direction, reverse in (("minimize", False), ("maximize", True)):
        rows = rank(trials, scores, direction)  # type: ignore[arg-type]
        assert [row.value for row in rows] == sorted(values, reverse=reverse)
        assert [row.rank for row in rows] == list(range(1, len(values) + 1))


def test_the_table_shows_what_varies(ranked: Storage) -> None:
    text = to_text(leaderboard_table(best(ranked, "s"), 80), 80)
    header = next(line for line in text.splitlines() if "rank" in line).split()
    assert header == ["rank", "trial", "score", "state", "epoch", "lr", "offset"]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_table_fits_and_says_what_it_left_out(storage: Storage, width: int) -> None:
    storage.claim("s", "")
    names = [f"model.network.parameter_{i}" for i in range(12)]
    for trial in range(2):
        row = replace(complete(trial, 1.0), config=dict.fromkeys(names, trial + 0.123))
        write(storage, "s", score(trial, 1.0), row)
    text = to_text(leaderboard_table(best(storage, "s"), width), width)
    assert max(map(len, text.splitlines())) <= width
    assert "differ too: " in text
    assert all(f"parameter_{i}" in text for i in range(12))


def test_a_table_of_nothing(ranked: Storage) -> None:
    ranked.claim("empty", "")
    assert "rank" in to_text(leaderboard_table(best(ranked, "empty"), 80), 80)


def test_status(ranked: Storage) -> None:
    summary = status(ranked, "s")
    assert summary.states == {"complete": 2, "pruned": 1, "failed": 1, "running": 1}
    assert (summary.best_trial, summary.best_value) == (1, 3.0)
    assert summary.started == START
    assert summary.train_seconds == 120.0
    assert summary.score_seconds == 20.0


def test_summaries_are_sorted_by_start(ranked: Storage) -> None:
    ranked.claim("empty", "")
    ranked.claim("before", "")
    write(ranked, "before", replace(running(0), started=START - timedelta(days=1)))
    summaries = study_summary(ranked)
    assert [summary.name for summary in summaries] == ["before", "s", "empty"]
    assert newest_study(ranked) == "s"
    text = to_text(summary_table(summaries), 80)
    assert max(map(len, text.splitlines())) <= 80
    written = summaries[0].written
    assert written is not None
    assert f"{written.astimezone():%m-%d %H:%M:%S}" in text


def test_no_study_is_the_newest_of_none(storage: Storage) -> None:
    with pytest.raises(UserError, match="has a trial yet"):
        newest_study(storage)


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
