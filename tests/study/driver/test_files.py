from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from study.driver.files import (
    checkpoint_epoch,
    checkpoint_name,
    checkpoints,
    delete_files,
    is_damaged,
    samples_name,
)
from study.results.storage import Storage

numbers = st.integers(0, 10**7)


@given(numbers, numbers)
def test_an_epoch_is_read_back_from_the_name(trial: int, epoch: int) -> None:
    assert checkpoint_epoch(checkpoint_name("s", trial, epoch, b"x")) == epoch


@given(numbers, numbers, numbers, numbers)
def test_no_two_trials_or_epochs_share_a_name(a: int, b: int, c: int, d: int) -> None:
    same = (a, b) == (c, d)
    assert (samples_name("s", a, b) == samples_name("s", c, d)) == same
    assert (checkpoint_name("s", a, b, b"x") == checkpoint_name("s", c, d, b"x")) == same


def test_a_name_says_what_is_in_the_file() -> None:
    name = checkpoint_name("s", 1, 2, b"content")
    assert name != checkpoint_name("s", 1, 2, b"other")
    assert not is_damaged(name, b"content")
    for changed in (b"", b"conten", b"contenT"):
        assert is_damaged(name, changed)
    assert not is_damaged("s/checkpoints/trial-0001-epoch-00002.pt", b"of version 0.1.0")


def test_the_checkpoints_of_each_trial_by_epoch(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    names = {
        (trial, epoch): checkpoint_name("s", trial, epoch, b"x")
        for trial, epoch in [(1, 2), (1, 100_000), (1, 99_999), (12, 11), (12, 3)]
    }
    for name in names.values():
        storage.write_atomic(name, b"x")
    storage.write_atomic("s/checkpoints/trial-0012-epoch-00004.pt", b"x")
    storage.write_atomic("s/checkpoints/trial-0001-epoch-00099.pt.part", b"x")
    storage.write_atomic("s/checkpoints/notes.txt", b"x")
    assert checkpoints(storage, "s") == {
        1: [names[1, 2], names[1, 99_999], names[1, 100_000]],
        12: [names[12, 3], "s/checkpoints/trial-0012-epoch-00004.pt", names[12, 11]],
    }
    assert checkpoints(storage, "other") == {}
    delete_files(storage, [names[1, 2], names[1, 2]])  # the second time it is gone already
    assert checkpoints(storage, "s")[1] == [names[1, 99_999], names[1, 100_000]]
