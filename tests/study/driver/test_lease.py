from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from study.driver import lease as lease_module
from study.driver.lease import HeldLease, Lease, LeaseLost, StudyGone, take_lease
from study.results.lease_record import (
    LAPSE_SECONDS,
    LeaseRecord,
    create_lease,
    read_accepted,
    read_heartbeat,
)
from study.results.process import this_process
from study.results.storage import Storage
from study.results.table_files import file_name
from study.simulation.clock import SimulatedClock
from study.spec.errors import UserError

STAMP = "20260101T000000Z"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage.from_uri(str(tmp_path))
    storage.claim("s", "")
    return storage


def elsewhere(storage: Storage, clock: SimulatedClock) -> Lease:
    """The lease of a driver on another machine, which gave one sign of life."""
    process = replace(this_process(), host="elsewhere", user="ada", pid=12)
    record = LeaseRecord(1, process, clock.now())
    assert create_lease(storage, "s", record)
    lease = Lease(storage, "s", record, clock)
    lease.beat()
    return lease


def test_a_study_in_use_is_refused_and_who_has_it_is_told(storage: Storage) -> None:
    clock = SimulatedClock()
    first = elsewhere(storage, clock)
    clock.move_to(LAPSE_SECONDS - 1)
    with pytest.raises(
        UserError, match=r"is run by ada@elsewhere \(process 12\).*29 s ago.*--takeover"
    ):
        take_lease(storage, "s", clock=clock)
    first.check()


def test_a_takeover_fences_the_driver_before(storage: Storage) -> None:
    clock = SimulatedClock()
    first = elsewhere(storage, clock)
    second = take_lease(storage, "s", takeover=True, clock=clock)
    assert second.number == 2
    with pytest.raises(LeaseLost, match="'s' was taken over by"):
        first.check()
    second.check()


def test_a_driver_of_this_machine_that_is_gone_is_not_waited_for(storage: Storage) -> None:
    lease = take_lease(storage, "s")
    with pytest.raises(UserError, match="is run by"):
        take_lease(storage, "s")
    gone = replace(lease.record.process, started="1")
    storage.write_atomic(
        "s/lease/000001.json", storage.read("s/lease/000001.json").replace(
            lease.record.process.started.encode(), gone.started.encode()
        ),
    )  # fmt: skip
    assert take_lease(storage, "s").number == 2


def test_a_released_study_is_free_at_once(storage: Storage) -> None:
    clock = SimulatedClock()
    elsewhere(storage, clock).release()
    assert take_lease(storage, "s", clock=clock).number == 2


class WatchingClock(SimulatedClock):
    """A clock on which half a second goes by at each look."""

    def seconds(self) -> float:
        self.move_to(super().seconds() + 0.5)
        return super().seconds()


def test_a_lapsed_lease_is_watched_before_it_is_taken(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other machine's clock is an hour behind, but it is alive.
    other = elsewhere(storage, SimulatedClock())
    clock = WatchingClock()
    clock.move_to(3600)
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout: other.beat())
    with pytest.raises(UserError, match="is run by ada@elsewhere"):
        take_lease(storage, "s", clock=clock)
    monkeypatch.setattr(threading.Event, "wait", lambda self, timeout: None)
    assert take_lease(storage, "s", clock=clock).number == 2


def test_of_several_that_take_over_at_once_one_does(storage: Storage) -> None:
    barrier = threading.Barrier(4)

    def take(_: int) -> int:
        barrier.wait()
        try:
            return take_lease(storage, "s").number
        except UserError:
            return 0

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(4))) == [0, 0, 0, 1]


def test_files_of_a_driver_that_was_replaced_count_up_to_that_moment(storage: Storage) -> None:
    names = [file_name(STAMP, b"", (1, count)) for count in (1, 2, 3)]
    for name in names[:2]:
        storage.write_atomic(f"s/trials/{name}", b"")
    take_lease(storage, "s", takeover=True)
    take_lease(storage, "s", takeover=True)
    storage.write_atomic(f"s/trials/{names[2]}", b"")  # it did not know
    accepted = read_accepted(storage, "s")
    assert [name in accepted for name in names] == [True, True, False]
    assert f"{STAMP}-0123456789ab.parquet" in accepted  # of no driver's
    assert file_name(STAMP, b"", (2, 9)) in accepted
    take_lease(storage, "s", takeover=True)
    accepted = read_accepted(storage, "s")  # what was not accepted once never is
    assert [name in accepted for name in names] == [True, True, False]


def test_signs_of_life_come_by_themselves_and_end_with_the_context(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_SECONDS", 0.01)
    with HeldLease(take_lease(storage, "s")) as lease:
        started = read_heartbeat(storage, "s", lease.number)
        assert started is not None
        deadline = threading.Event()
        while (beat := read_heartbeat(storage, "s", lease.number)) == started:
            deadline.wait(0.01)
        assert beat is not None
        assert beat.count > started.count
        assert not beat.released
    last = read_heartbeat(storage, "s", lease.number)
    assert last is not None
    assert last.released
    assert last.written - started.written < timedelta(minutes=10)


@pytest.mark.parametrize("gone", ["s", "s/study.yaml", "s/lease"])
def test_a_driver_whose_study_was_deleted_makes_no_new_one(storage: Storage, gone: str) -> None:
    lease = take_lease(storage, "s")
    path = Path(storage.path(gone))
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    for act in (lease.check, lease.beat, lease.release):
        with pytest.raises(StudyGone, match=r"'s' is no longer in .* deleted or moved"):
            act()
    assert not path.exists()


def test_who_holds_a_study_hears_that_it_is_lost(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease_module, "HEARTBEAT_SECONDS", 0.01)
    held = HeldLease(take_lease(storage, "s"))
    errors, heard = list[UserError](), threading.Event()

    def lost(error: UserError) -> None:
        errors.append(error)
        heard.set()

    held.lost = lost
    with held:
        shutil.rmtree(storage.path("s"))
        assert heard.wait(60)
    assert [type(error) for error in errors] == [StudyGone]
    assert not storage.exists("s")
