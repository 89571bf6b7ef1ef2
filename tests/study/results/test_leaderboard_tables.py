from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_rows import complete, final, final_score, pruned, score, spec, write
from rich.console import Group

from study.results.leaderboard import read_leaderboard
from study.results.leaderboard_tables import leaderboard_tables, ranking_table
from study.results.render import to_text
from study.results.storage import Storage


def test_the_table_shows_what_varies(ranked: Storage) -> None:
    text = to_text(ranking_table(read_leaderboard(ranked, "s").ranked, 80), 80)
    header = next(line for line in text.splitlines() if "rank" in line).split()
    assert header == ["rank", "trial", "score", "state", "epoch", "lr", "offset"]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_the_table_fits_and_says_what_it_left_out(storage: Storage, width: int) -> None:
    storage.claim("s", "")
    names = [f"model.network.parameter_{i}" for i in range(12)]
    for trial in range(2):
        row = replace(complete(trial, 1.0), config=dict.fromkeys(names, trial + 0.123))
        write(storage, "s", score(trial, 1.0), row)
    text = to_text(ranking_table(read_leaderboard(storage, "s").ranked, width), width)
    assert max(map(len, text.splitlines())) <= width
    assert "differ too: " in text
    assert all(f"parameter_{i}" in text for i in range(12))


def test_a_table_of_nothing(ranked: Storage) -> None:
    ranked.claim("empty", "")
    assert "rank" in to_text(ranking_table(read_leaderboard(ranked, "empty").ranked, 80), 80)


def shown(storage: Storage, width: int = 80) -> str:
    return to_text(Group(*leaderboard_tables(read_leaderboard(storage, "s"), 10, width)), width)


def test_spread_and_ties_are_shown_and_explained(storage: Storage) -> None:
    storage.claim("s", "")
    for trial, (value, spread) in enumerate([(1.0, 0.1), (1.1, 0.1), (300.0, 12.0), (4.0, None)]):
        row = replace(score(trial, value), spread=spread)
        write(storage, "s", row, complete(trial, value))
    lines = shown(storage).splitlines()
    cells = [line.split("complete")[0].split() for line in lines if "complete" in line]
    assert cells == [
        ["1=", "0", "1.00", "±", "0.20"],
        ["1=", "1", "1.10", "±", "0.20"],
        ["3", "3", "4"],
        ["4", "2", "300", "±", "24"],
    ]
    told = " ".join(lines)
    assert "± is the noise of sampling alone (95 %)" in told
    assert "`finalists:`" in told
    assert "1= is not told apart from the best" in told


def test_without_spreads_there_is_nothing_to_explain(ranked: Storage) -> None:
    assert "±" not in shown(ranked)
    assert "1=" not in shown(ranked)


def test_unranked_trials_are_counted_below(storage: Storage) -> None:
    storage.claim("s", "")
    early = [replace(score(t, 0.5, epoch=1), samples=64) for t in (1, 2)]
    cheap = replace(score(3, 0.1, epoch=1), metric="sliced_wasserstein")
    trials = [complete(0, 1.0), pruned(1, 0.5), pruned(2, 0.5), pruned(3, 0.1)]
    write(storage, "s", score(0, 1.0), *early, cheap, *(replace(t, spec=spec()) for t in trials))
    text = " ".join(shown(storage, 160).split())
    assert (
        "not ranked: 3 trials that were pruned before a score in full (2 at 64 images by "
        "fd_lenet, 1 at 256 images by sliced_wasserstein)" in text
    )


def test_finalists_stand_above_the_search(storage: Storage) -> None:
    storage.claim("s", "")
    for trial in (0, 1):
        write(storage, "s", score(trial, 5.0 + trial), complete(trial, 5.0 + trial))
    for run in range(4):
        write(storage, "s", final_score(2 + run, 4.0 + run), final(2 + run, run % 2))
    text = shown(storage)
    assert text.index("finalists, trained again") < text.index("the search:")
    assert max(map(len, text.splitlines())) <= 80


def test_a_study_without_a_score_shows_nothing(storage: Storage) -> None:
    storage.claim("s", "")
    assert leaderboard_tables(read_leaderboard(storage, "s"), 10) == []
