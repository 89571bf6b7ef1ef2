from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from ledger_rows import artifact, complete, diagnostic, pruned, report, running, score, write

from study.driver.lease import take_lease
from study.results.ledger import Ledger
from study.results.outage import StorageUnavailable
from study.results.parquet_tables import read_table
from study.results.patience import Patience
from study.results.query import query
from study.results.storage import Storage
from study.results.tables import TABLES
from study.simulation.clock import SimulatedClock
from study.spec.errors import UserError


def test_what_is_appended_is_read(any_storage: Storage) -> None:
    any_storage.claim("s", "")
    rows = (
        report(0, 1),
        score(0, 1.5),
        artifact(0, "s/a.png"),
        diagnostic(0, 0.1),
        complete(0, 1.5, lr=0.1),
    )
    write(any_storage, "s", running(0, lr=0.1), *rows)
    counts = {table: len(read_table(any_storage, table)) for table in TABLES}
    assert counts == {"trials": 2, "reports": 1, "scores": 1, "artifacts": 1, "diagnostics": 1}
    (trial,) = query(any_storage, 'SELECT state, value, "config.lr" FROM trials').to_pylist()
    assert trial == {"state": "complete", "value": 1.5, "config.lr": 0.1}


def test_parameters_of_differing_kinds(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", running(0, n=1, k=1, channels="[16, 32]", nothing=None, flip=True))
    write(storage, "s", running(1, n=0.5, k="auto", model__ddpm__timesteps=100))
    rows = query(storage, "FROM trials").to_pylist()
    assert [row["config.n"] for row in rows] == [1.0, 0.5]
    assert [row["config.k"] for row in rows] == ["1", "auto"]
    assert [row["config.model.ddpm.timesteps"] for row in rows] == [None, 100]
    assert [row["config.flip"] for row in rows] == [True, None]
    assert [row["config.nothing"] for row in rows] == [None, None]


def test_the_newest_row_wins(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", running(0), report(0, 1, loss=0.5), report(0, 2, loss=0.4))
    write(storage, "s", report(0, 2, loss=0.3), pruned(0, 9.0))  # the lane was restarted
    assert query(storage, "SELECT state FROM trials").to_pylist() == [{"state": "pruned"}]
    losses = query(storage, "SELECT loss FROM reports")["loss"].to_pylist()
    assert losses == [0.5, 0.3]


def test_a_curve_keeps_its_points_and_a_number_its_newest_value(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", diagnostic(0, 1.0), diagnostic(0, 2.0, x=0.0), diagnostic(0, 3.0, x=1.0))
    write(storage, "s", diagnostic(0, 4.0))  # explained again
    values = query(storage, "SELECT value FROM diagnostics ORDER BY x NULLS FIRST")["value"]
    assert values.to_pylist() == [4.0, 2.0, 3.0]


def test_rows_of_one_instant_keep_their_order(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.claim("s", "")
    write(storage, "s", *(report(0, 1, loss=float(i)) for i in range(50)))
    assert query(storage, "SELECT loss FROM reports")["loss"].to_pylist() == [49.0]
    written = read_table(storage, "reports")["written"].to_pylist()
    assert len(set(written)) == 50


def test_rows_wait_for_company_but_an_ended_trial_does_not(storage: Storage) -> None:
    storage.claim("s", "")
    ledger = Ledger(storage, "s", max_age=3600)
    ledger.append(running(0))  # the first row: nothing was flushed for long
    assert len(storage.files("s/trials")) == 1
    ledger.append(report(0, 1))
    ledger.append(report(0, 2))
    assert storage.files("s/reports") == []
    ledger.append(complete(0, 1.0))
    assert len(storage.files("s/reports")) == 1
    assert len(storage.files("s/trials")) == 2
    ledger.flush()
    assert len(storage.files("s/trials")) == 2


def test_an_error_in_the_context_still_flushes(storage: Storage) -> None:
    storage.claim("s", "")

    def fail() -> None:
        with Ledger(storage, "s", max_age=3600) as ledger:
            ledger.append(running(0))
            ledger.append(report(0, 1))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert len(read_table(storage, "reports")) == 1


def test_rows_that_could_not_be_written_are_kept(tmp_path: Path) -> None:
    (tmp_path / "studies").write_text("in the way")
    storage = Storage.from_uri(str(tmp_path / "studies"))
    ledger = Ledger(storage, "s")
    with pytest.raises(OSError, match=r"Not a directory|exists"):
        ledger.append(report(0, 1))
    (tmp_path / "studies").unlink()
    storage.claim("s", "")
    ledger.flush()
    assert len(read_table(storage, "reports")) == 1


def test_a_refused_row_leaves_no_trace(storage: Storage) -> None:
    storage.claim("s", "")
    with Ledger(storage, "s") as ledger, pytest.raises(ValueError, match="reports, trial -"):
        ledger.append(report(-1, 1, loss="high"))  # type: ignore[arg-type]
    assert len(read_table(storage, "reports")) == 0


def test_threads_share_a_ledger(storage: Storage) -> None:
    storage.claim("s", "")
    with Ledger(storage, "s", max_age=0.01) as ledger:

        def run(trial: int) -> None:
            for epoch in range(1, 26):
                ledger.append(report(trial, epoch))
            ledger.append(complete(trial, 1.0))

        threads = [threading.Thread(target=run, args=(trial,)) for trial in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(query(storage, "FROM reports")) == 100
    assert len(query(storage, "FROM trials")) == 4
    sequences = read_table(storage, "reports")["sequence"].to_pylist()
    assert len(set(sequences)) == 100


def test_file_names_sort_by_time(storage: Storage) -> None:
    storage.claim("s", "")
    for epoch in range(1, 6):
        write(storage, "s", report(0, epoch))
    epochs = read_table(storage, "reports")["epoch"].to_pylist()
    assert epochs == [1, 2, 3, 4, 5]


class Reader:
    """Waits until a table has a number of files, for a test that must not take for ever."""

    def __init__(self, storage: Storage, seconds: float = 60.0) -> None:
        self.storage = storage
        self.deadline = time.monotonic() + seconds

    def wait_for(self, folder: str, count: int) -> None:
        while len(self.storage.files(folder)) < count:
            assert time.monotonic() < self.deadline, f"{folder} never got {count} files"
            time.sleep(0.01)


def test_rows_are_written_in_time_whatever_comes_next(storage: Storage) -> None:
    storage.claim("s", "")
    with Ledger(storage, "s", max_age=0.05) as ledger:
        ledger.append(running(0))
        ledger.append(report(0, 1))
        Reader(storage).wait_for("s/reports", 1)  # nothing else is appended
        ledger.append(report(0, 2))
        Reader(storage).wait_for("s/reports", 2)


def test_the_first_row_of_a_trial_is_there_before_anybody_hears_of_it(storage: Storage) -> None:
    storage.claim("s", "")
    ledger = Ledger(storage, "s", max_age=3600)
    for trial in range(3):
        ledger.append(running(trial))
        assert query(storage, "SELECT count(*) AS n FROM trials")["n"].to_pylist() == [trial + 1]


def test_when_rows_are_due(storage: Storage) -> None:
    storage.claim("s", "")
    clock = SimulatedClock()
    ledger = Ledger(storage, "s", max_age=2.0, clock=clock)
    assert ledger.due is None
    ledger.append(running(0))
    clock.move_to(1.5)
    ledger.append(report(0, 1))
    assert ledger.due == 2.0
    ledger.flush()
    assert ledger.due is None


class Fenced:
    """A driver that has lost its study."""

    number = 1

    def check(self) -> None:
        raise UserError("taken over")


def test_a_driver_that_lost_its_study_writes_nothing(storage: Storage) -> None:
    storage.claim("s", "")
    ledger = Ledger(storage, "s", driver=Fenced())
    with pytest.raises(UserError, match="taken over"):
        ledger.append(running(0))
    assert storage.files("s/trials") == []


class Unaware:
    """A driver that stands between its check and its write while another one takes over."""

    def __init__(self, number: int) -> None:
        self.number = number

    def check(self) -> None:
        pass


def test_rows_of_a_driver_that_was_replaced_do_not_count(storage: Storage) -> None:
    storage.claim("s", "")
    stale = Ledger(storage, "s", driver=Unaware(take_lease(storage, "s").number))
    stale.append(running(0))
    second = take_lease(storage, "s", takeover=True)
    stale.append(complete(0, 1.0))
    stale.append(running(1))
    Ledger(storage, "s", driver=second).append(complete(0, 2.0))
    rows = query(storage, "SELECT trial, value FROM trials").to_pylist()
    assert rows == [{"trial": 0, "value": 2.0}]


def test_rows_beside_a_run_count_whoever_holds_the_study(storage: Storage) -> None:
    storage.claim("s", "")
    write(storage, "s", score(0, 1.5))
    take_lease(storage, "s")
    take_lease(storage, "s", takeover=True)
    write(storage, "s", score(1, 2.5))
    assert query(storage, "SELECT value FROM scores")["value"].to_pylist() == [1.5, 2.5]


class Disk:
    """A driver to whom the storage is full until it is told otherwise."""

    number = 1
    full = True

    def check(self) -> None:
        if self.full:
            raise StorageUnavailable("The storage /s cannot be written: No space left on device")


def test_who_appends_waits_until_the_storage_can_be_written(storage: Storage) -> None:
    storage.claim("s", "")
    disk, lines = Disk(), list[str]()

    def say(line: str) -> None:
        lines.append(line)
        disk.full = False

    patience = Patience(clock=SimulatedClock(), say=say)
    ledger = Ledger(storage, "s", driver=disk, patience=patience)
    assert ledger.append(running(0)) == ledger.durable == 0
    assert len(query(storage, "FROM trials")) == 1
    assert len(lines) == 2


def test_rows_are_kept_in_order_while_the_storage_is_away(storage: Storage) -> None:
    storage.claim("s", "")
    disk = Disk()
    ledger = Ledger(storage, "s", driver=disk)
    for row in (running(0), report(0, 1), report(0, 2, loss=0.5), report(0, 2, loss=0.3)):
        with pytest.raises(StorageUnavailable):
            ledger.append(row)
    disk.full = False
    ledger.append(complete(0, 1.0))
    assert query(storage, "SELECT loss FROM reports ORDER BY epoch")["loss"].to_pylist()[1] == 0.3
    assert query(storage, "SELECT state FROM trials")["state"].to_pylist() == ["complete"]


def test_who_gives_up_says_what_is_not_on_disk(storage: Storage) -> None:
    storage.claim("s", "")

    def fail() -> None:
        patience = Patience(clock=SimulatedClock())
        with Ledger(storage, "s", max_age=3600, driver=disk, patience=patience) as ledger:
            disk.full = False
            ledger.append(running(0))
            disk.full = True
            ledger.append(report(0, 1))
            ledger.append(report(3, 1))
            raise KeyboardInterrupt

    disk = Disk()
    with pytest.raises(StorageUnavailable) as caught:
        fail()
    assert str(caught.value) == (
        "The storage /s cannot be written: No space left on device; 2 rows of trials 0, 3 are not "
        "on disk: `study resume s` goes on from what is"
    )
