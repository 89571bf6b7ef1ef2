from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.driver.files import (
    checkpoint_epoch,
    checkpoint_name,
    drop_older,
    newest_checkpoint,
    samples_name,
)
from study.results.storage import Storage

numbers = st.integers(0, 10**7)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Checkpoints of two trials, and what is none."""
    storage = Storage.from_uri(str(tmp_path))
    for trial, epoch in [(1, 2), (1, 10), (1, 9), (12, 11), (12, 3)]:
        storage.write_atomic(checkpoint_name("s", trial, epoch), b"x")
    storage.write_atomic("s/checkpoints/trial-0001-epoch-00099.pt.part", b"x")
    storage.write_atomic("s/checkpoints/notes.txt", b"x")
    return storage


def kept(storage: Storage) -> set[str]:
    return {name for name in storage.files("s/checkpoints") if name.endswith(".pt")}


@given(numbers, numbers)
def test_an_epoch_is_read_back_from_the_name(trial: int, epoch: int) -> None:
    assert checkpoint_epoch(checkpoint_name("s", trial, epoch)) == epoch


@given(numbers, numbers, numbers, numbers)
def test_no_two_trials_or_epochs_share_a_name(a: int, b: int, c: int, d: int) -> None:
    for name in (checkpoint_name, samples_name):
        assert (name("s", a, b) == name("s", c, d)) == ((a, b) == (c, d))


def test_the_newest_is_that_of_the_last_epoch_of_this_trial(storage: Storage) -> None:
    assert newest_checkpoint(storage, "s", 1) == checkpoint_name("s", 1, 10)
    assert newest_checkpoint(storage, "s", 12) == checkpoint_name("s", 12, 11)
    assert newest_checkpoint(storage, "s", 2) is None
    assert newest_checkpoint(storage, "other", 1) is None


def test_the_newest_is_found_past_epochs_of_five_digits(storage: Storage) -> None:
    for epoch in (99_999, 100_000):
        storage.write_atomic(checkpoint_name("s", 1, epoch), b"x")
    assert newest_checkpoint(storage, "s", 1) == checkpoint_name("s", 1, 100_000)


def test_older_ones_of_the_same_trial_are_deleted_and_nothing_else(storage: Storage) -> None:
    before = kept(storage)
    drop_older(storage, checkpoint_name("s", 1, 9))
    assert before - kept(storage) == {"trial-0001-epoch-00002.pt"}
    drop_older(storage, checkpoint_name("s", 12, 3))  # there is none before
    assert before - kept(storage) == {"trial-0001-epoch-00002.pt"}
    assert storage.read("s/checkpoints/notes.txt") == b"x"
