from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from ledger_rows import START, complete, final, final_score, running, score, write

from study.driver.lease import Lease, take_lease
from study.results.leaderboard import read_leaderboard
from study.results.lease_record import LAPSE_SECONDS, LeaseRecord, create_lease
from study.results.ledger import Ledger
from study.results.process import this_process
from study.results.render import to_text
from study.results.storage import Storage
from study.results.summary import Failure, study_summary, summarise_study
from study.results.summary_table import summary_table, summary_text
from study.results.tables import Row
from study.simulation.clock import SimulatedClock
from study.spec.errors import UserError


def test_status(ranked: Storage) -> None:
    summary = summarise_study(ranked, "s")
    assert summary.states == {"complete": 2, "pruned": 1, "failed": 1, "running": 1}
    assert summary.best is not None
    assert (summary.best.trial, summary.best.value) == (1, 3.0)
    assert summary.failures == (Failure(3, "the loss is nan"),)
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
    assert (found.states, found.final_runs) == ({"complete": 1}, 2)
    assert found.best is not None
    assert found.best.value == 5.0
    text = to_text(summary_table([found]), 80)
    assert max(map(len, text.splitlines())) <= 80
    header, _, row = text.splitlines()
    assert header.split()[4] == "final"
    assert row.split()[:5] == ["s", "ended", "1", "2", "5"]


def test_without_final_runs_there_is_no_column_for_them(ranked: Storage) -> None:
    assert "final" not in to_text(summary_table([summarise_study(ranked, "s")]), 80)


def take(storage: Storage, planned: int, clock: SimulatedClock, host: str = "elsewhere") -> Lease:
    """The lease of a driver on another machine, which has just given a sign of life."""
    record = LeaseRecord(1, replace(this_process(), host=host), clock.now())
    assert create_lease(storage, "s", record)
    lease = Lease(storage, "s", record, clock)
    lease.planned = planned
    lease.beat()
    return lease


def shown(storage: Storage, clock: SimulatedClock) -> str:
    return to_text(summary_text(summarise_study(storage, "s", clock), clock), 80)


def write_at(storage: Storage, clock: SimulatedClock, *rows: Row) -> None:
    with Ledger(storage, "s", clock=clock) as ledger:
        ledger.append(*rows)


def test_a_study_that_runs_says_how_long_it_still_takes(storage: Storage) -> None:
    storage.claim("s", "")
    clock = SimulatedClock(START)
    take(storage, 6, clock)
    rows = [replace(complete(n, 5.0 + n), started=START, ended=START) for n in range(2)]
    better = replace(running(2), started=START, value=4.0, epoch=3)
    write_at(storage, clock, *(score(n, 5.0 + n) for n in range(2)), score(2, 4.0, epoch=3))
    write_at(storage, clock, *rows, better)
    clock.move_to(25.0)
    summary = summarise_study(storage, "s", clock)
    assert (summary.activity, summary.ended, summary.planned) == ("running", 2, 6)
    assert summary.seconds_left == pytest.approx(25.0 / 2.5 * 3.5)
    assert summary.is_best_open
    text = shown(storage, clock)
    assert "2 of 6 ended: 2 complete, 1 in hand" in text
    assert "fd_lenet 4, trial 2 at epoch 3, which has not ended" in text
    assert "about 0:35 left" in text
    assert "study resume" not in text
    assert "4*" in to_text(summary_table([summary]), 80)


def test_a_study_that_was_interrupted_says_so_and_since_when(storage: Storage) -> None:
    storage.claim("s", "")
    clock = SimulatedClock(START)
    lease = take(storage, 2, clock)
    write_at(storage, clock, score(0, 5.0), complete(0, 5.0), running(1))
    clock.move_to(60.0)
    lease.release()
    clock.move_to(185.0)
    summary = summarise_study(storage, "s", clock)
    assert (summary.activity, summary.since) == ("interrupted", START + timedelta(minutes=1))
    assert summary.seconds_left is None
    text = shown(storage, clock)
    assert "interrupted since" in text
    assert "(2:05 ago)" in text
    assert "1 of 2 ended: 1 complete, 1 to go on with" in text
    assert "study resume s" in text


def test_a_driver_that_fell_silent_is_told(storage: Storage) -> None:
    storage.claim("s", "")
    clock = SimulatedClock(START)
    take(storage, 2, clock)
    write_at(storage, clock, running(0))
    clock.move_to(LAPSE_SECONDS + 1)
    assert summarise_study(storage, "s", clock).activity == "silent"
    assert "no sign of life since" in shown(storage, clock)


def test_a_driver_of_this_machine_that_was_killed_is_known_to_be_gone(storage: Storage) -> None:
    storage.claim("s", "")
    take_lease(storage, "s")
    write(storage, "s", running(0))
    assert summarise_study(storage, "s").activity == "running"
    record = storage.read("s/lease/000001.json")
    started = this_process().started.encode()
    storage.write_atomic("s/lease/000001.json", record.replace(started, b"1"))
    assert summarise_study(storage, "s").activity == "interrupted"


def test_a_study_with_trials_to_begin_has_not_ended(storage: Storage) -> None:
    storage.claim("s", "search: {trials: 3}")
    write(storage, "s", score(0, 5.0), complete(0, 5.0))
    assert summarise_study(storage, "s").activity == "interrupted"
    write(storage, "s", score(1, 5.0), complete(1, 5.0), score(2, 5.0), complete(2, 5.0))
    assert summarise_study(storage, "s").activity == "ended"


def test_many_failures_are_shown_in_part(storage: Storage) -> None:
    storage.claim("s", "")
    rows = [
        replace(running(n), state="failed", reason=f"reason {n}", ended=START) for n in range(9)
    ]
    write(storage, "s", *rows)
    text = shown(storage, SimulatedClock(START))
    assert "trial 4: reason 4" in text
    assert "trial 5" not in text
    assert "and 4 more" in text


def test_a_summary_as_json(ranked: Storage) -> None:
    tree = json.loads(json.dumps(summarise_study(ranked, "s").to_dict()))
    assert (tree["study"], tree["ended"], tree["planned"]) == ("s", 4, None)
    assert tree["best"]["trial"] == 1
    assert tree["failures"] == [{"trial": 3, "reason": "the loss is nan"}]
    assert tree["started"] == START.isoformat()
