from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_rows import START, complete, final, final_score, running, score, write

from study.results.leaderboard import read_leaderboard
from study.results.render import to_text
from study.results.storage import Storage
from study.results.summary import study_summary, summarise_study, summary_table
from study.spec.errors import UserError


def test_status(ranked: Storage) -> None:
    summary = summarise_study(ranked, "s")
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
    text = to_text(summary_table(summaries), 80)
    assert max(map(len, text.splitlines())) <= 80
    written = summaries[0].written
    assert written is not None
    assert f"{written.astimezone():%m-%d %H:%M:%S}" in text


def test_the_nearest_study_is_named(ranked: Storage) -> None:
    ranked.claim("mnist", "")
    for function in (read_leaderboard, summarise_study):
        with pytest.raises(UserError, match="did you mean 'mnist'"):
            function(ranked, "minst")
    assert read_leaderboard(ranked, "mnist").ranked == ()


def test_final_runs_are_counted_by_themselves(storage: Storage) -> None:
    storage.claim("s", "")
    runs = [final(1, 0, 4.0), replace(final(2, 0), state="failed", value=None, reason="memory")]
    write(storage, "s", score(0, 5.0), complete(0, 5.0), final_score(1, 4.0), *runs)
    found = summarise_study(storage, "s")
    assert (found.states, found.final_runs, found.best_value) == ({"complete": 1}, 2, 5.0)
    text = to_text(summary_table([found]), 80)
    assert max(map(len, text.splitlines())) <= 80
    header, _, row = text.splitlines()
    assert header.split()[5] == "final"
    assert row.split()[:6] == ["s", "1", "0", "0", "0", "2"]


def test_without_final_runs_there_is_no_column_for_them(ranked: Storage) -> None:
    assert "final" not in to_text(summary_table([summarise_study(ranked, "s")]), 80)
