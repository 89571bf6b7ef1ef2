from __future__ import annotations

from pathlib import Path

import pytest
from ledger_rows import report, running

from study.driver.files import checkpoint_name
from study.driver.retention import Retention
from study.results.ledger import Ledger
from study.results.outage import StorageUnavailable
from study.results.storage import Storage
from study.spec.errors import UserError


class Held:
    """A driver that has its study, until it is told otherwise."""

    number = 1
    lost = False
    away = False

    def check(self) -> None:
        if self.away:
            raise StorageUnavailable("away")
        if self.lost:
            raise UserError("taken over")


class Training:
    """A trial that writes a checkpoint an epoch."""

    def __init__(self, folder: Path) -> None:
        self.storage = Storage.from_uri(str(folder))
        self.storage.claim("s", "")
        self.driver = Held()
        self.ledger = Ledger(self.storage, "s", max_age=3600, driver=self.driver)
        self.ledger.append(running(0))
        self.retention = Retention(self.ledger)

    def epoch(self, epoch: int, value: float | None = None) -> None:
        name = checkpoint_name("s", 0, epoch, b"x")
        self.storage.write_atomic(name, b"x")
        row = self.ledger.append(report(0, epoch))
        self.retention.note(0, name, value, row)

    @property
    def kept(self) -> list[int]:
        return [int(name[17:22]) for name in self.storage.files("s/checkpoints")]


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return Training(tmp_path)


def test_nothing_goes_before_the_ledger_knows_what_follows(training: Training) -> None:
    for epoch in range(1, 6):
        training.epoch(epoch)
    assert training.kept == [1, 2, 3, 4, 5]  # the study would go on from the start
    training.ledger.flush()
    training.epoch(6)
    assert training.kept == [4, 5, 6]  # from 5, or from 4 if 5 is damaged


def test_the_best_stays(training: Training) -> None:
    for epoch, value in enumerate([3.0, 1.0, None, 2.0, 2.5, 2.7], start=1):
        training.epoch(epoch, value)
        training.ledger.flush()
    training.epoch(7, None)
    assert training.kept == [2, 5, 6, 7]
    training.ledger.flush()
    training.retention.end(0, over=True)
    assert training.kept == [2, 7]


def test_a_trial_that_may_go_on_keeps_its_last_two(training: Training) -> None:
    for epoch in range(1, 5):
        training.epoch(epoch)
    training.ledger.flush()
    training.retention.end(0, over=False)
    assert training.kept == [3, 4]


def test_a_driver_that_lost_its_study_deletes_nothing(training: Training) -> None:
    for epoch in range(1, 4):
        training.epoch(epoch)
    training.ledger.flush()
    training.driver.lost = True
    with pytest.raises(UserError, match="taken over"):
        training.retention.end(0, over=True)
    assert training.kept == [1, 2, 3]


def test_a_checkpoint_written_again_is_one(training: Training) -> None:
    for epoch in (1, 2, 2, 3):  # workers died, and trained the second epoch again
        training.epoch(epoch)
        training.ledger.flush()
    training.epoch(4)
    assert training.kept == [2, 3, 4]


def test_what_could_not_be_deleted_goes_with_the_next(training: Training) -> None:
    for epoch in range(1, 5):
        training.epoch(epoch)
    training.ledger.flush()
    training.driver.away = True
    training.retention.end(0, over=True)  # nobody waits for that
    assert training.kept == [1, 2, 3, 4]
    training.driver.away = False
    for epoch in range(5, 8):
        training.epoch(epoch)
        training.ledger.flush()
    training.retention.end(0, over=True)
    assert training.kept == [4, 7]
