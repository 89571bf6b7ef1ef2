from __future__ import annotations

from pathlib import Path

from ledger_rows import complete, running
from simulated import in_folder

from study.results.query import query
from study.results.storage import Storage
from study.simulation.clock import SimulatedClock
from study.simulation.ledger import SimulatedLedger


def trials(storage: Storage) -> int:
    count: int = query(storage, "select count(*) from trials", ["small"])[0][0].as_py()
    return count


def test_the_end_of_a_trial_writes_nothing_before_its_time(tmp_path: Path) -> None:
    storage, clock = in_folder(tmp_path), SimulatedClock()
    storage.claim("small", "")
    ledger = SimulatedLedger(storage, "small", clock, 100.0)
    ledger.append(running(0))  # the first write is due at once
    for number in range(1, 5):
        clock.move_to(number * 20.0)
        ledger.append(complete(number, 1.0))
    assert trials(storage) == 1
    clock.move_to(100.0)
    ledger.append(complete(5, 1.0))
    assert trials(storage) == 6
    assert len(storage.files("small/trials")) == 2
    ledger.append(complete(6, 1.0))
    ledger.write()
    assert trials(storage) == 7


def test_it_can_write_as_the_ledger_of_a_real_study_does(tmp_path: Path) -> None:
    storage, clock = in_folder(tmp_path), SimulatedClock()
    storage.claim("small", "")
    ledger = SimulatedLedger(storage, "small", clock, None)
    for number in range(3):
        ledger.append(complete(number, 1.0))
        assert trials(storage) == number + 1
