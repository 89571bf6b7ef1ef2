from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.check.crew import Crew, TooLarge, TooLong, free_memory
from study.spec import UserError

GIBIBYTE = 2**30


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    with Crew(2, "crew_work", memory=GIBIBYTE / 4) as crew:
        yield crew


def test_every_process_answers_with_the_last_that_it_gave(crew: Crew) -> None:
    answers = crew.call("numbers", 3, seconds=60)
    assert [number for _, number in answers] == [2, 2]
    assert len({process for process, _ in answers} | {os.getpid()}) == 3
    assert crew.call("numbers", 2, seconds=60) == [(pid, 1) for pid, _ in answers]  # the same ones


def test_what_their_start_takes_is_known(crew: Crew) -> None:
    crew.call("numbers", 1, seconds=60)
    assert 0 < crew.start_seconds < 120


def test_they_work_at_the_same_time(crew: Crew, tmp_path: Path) -> None:
    assert crew.call("meets", str(tmp_path), 2, seconds=60) == [2, 2]


def test_what_takes_too_long_is_ended_and_what_it_gave_is_kept(crew: Crew) -> None:
    with pytest.raises(TooLong):
        crew.call("never_ends", None, seconds=0.5)
    assert crew.call("never_ends", 7, seconds=3) == [7, 7]
    assert [number for _, number in crew.call("numbers", 1, seconds=60)] == [0, 0]


@pytest.mark.skipif(sys.platform != "linux", reason="no other system bounds a process's memory so")
def test_what_takes_too_much_memory_is_told_and_what_it_gave_is_kept(crew: Crew) -> None:
    with pytest.raises(TooLarge):
        crew.call("takes_memory", None, GIBIBYTE, seconds=60)
    assert crew.call("takes_memory", 7, GIBIBYTE, seconds=60) == [7, 7]
    assert crew.call("takes_memory", 7, GIBIBYTE // 64, seconds=60) == [GIBIBYTE // 64] * 2


def test_a_process_that_is_killed_was_too_large_and_others_come(crew: Crew) -> None:
    with pytest.raises(TooLarge, match="signal 9"):
        crew.call("is_killed", seconds=60)
    assert [number for _, number in crew.call("numbers", 1, seconds=60)] == [0, 0]


def test_mistakes_are_told(crew: Crew) -> None:
    with pytest.raises(UserError, match="precision: there is no such"):
        crew.call("is_wrong", "user", seconds=60)


def test_our_own_are_no_users() -> None:
    with Crew(1, "crew_work") as crew, pytest.raises(RuntimeError, match="KeyError: 'ours'"):
        crew.call("is_wrong", "ours", seconds=60)
    missing = Crew(1, "no_such_module_at_all")
    with missing, pytest.raises(RuntimeError, match="No module named 'no_such_module_at_all'"):
        missing.call("numbers", 1, seconds=60)


def test_there_is_memory_free() -> None:
    assert free_memory() > 0
