from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from ledger_rows import START, complete, write

from study.results.clock import SystemClock
from study.results.ledger import Ledger, file_time
from study.results.storage import Storage, nearest_names
from study.results.study_names import newest_study, resolve_study
from study.spec.errors import UserError


class At(SystemClock):
    """A clock that stands still."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time


def begin(storage: Storage, study: str, start: datetime) -> None:
    storage.claim(study, "")
    with Ledger(storage, study, clock=At(start)) as ledger:
        ledger.append(complete(0, 1.0))


def test_the_newest_is_what_was_begun_last(any_storage: Storage) -> None:
    for days, name in ((2, "b"), (3, "a"), (1, "c")):
        begin(any_storage, name, START + timedelta(days=days))
    assert newest_study(any_storage) == "a"
    # An older study that goes on is not newer for that.
    write(any_storage, "c", complete(1, 1.0))
    assert newest_study(any_storage) == "a"


def test_a_study_without_a_trial_was_begun_when_its_name_was_claimed(storage: Storage) -> None:
    begin(storage, "old", datetime.now(UTC) - timedelta(hours=1))
    storage.claim("just-claimed", "")
    assert newest_study(storage) == "just-claimed"
    begin(storage, "later", datetime.now(UTC) + timedelta(hours=1))
    assert newest_study(storage) == "later"


def test_no_table_is_read(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(storage, "s", START)
    monkeypatch.delattr(Storage, "read")
    assert resolve_study(storage) == "s"


def test_a_name_is_that_study(storage: Storage) -> None:
    begin(storage, "a", START)
    begin(storage, "b", START + timedelta(days=1))
    assert resolve_study(storage, "a") == "a"
    assert resolve_study(storage, None) == resolve_study(storage, "newest") == "b"
    begin(storage, "newest", START)
    assert resolve_study(storage, "newest") == "newest"
    assert resolve_study(storage, None) == "b"


def test_none_at_all(storage: Storage) -> None:
    for name in (None, "newest"):
        with pytest.raises(UserError, match=r"No study is in .*`study run quickstart` makes one"):
            resolve_study(storage, name)
    with pytest.raises(UserError, match=r"No study named 'a' is in .*no study is; --storage"):
        resolve_study(storage, "a")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("quickstart", ["quickstart-20261127", "quickstart-20261126", "my-quickstart"]),
        ("QuickStart", ["quickstart-20261127", "quickstart-20261126", "my-quickstart"]),
        ("digit", ["Digits"]),
        ("diigts", ["Digits"]),
        ("cats", []),
        ("", []),
    ],
)
def test_the_nearest_names(name: str, nearest: list[str]) -> None:
    names = ["Digits", "my-quickstart", "quickstart-20261126", "quickstart-20261127"]
    assert nearest_names(name, names) == nearest


def test_an_unknown_name_gets_the_nearest(storage: Storage) -> None:
    for name in ("quickstart-1", "quickstart-2", "cats"):
        storage.claim(name, "")
    with pytest.raises(
        UserError, match=r"did you mean 'quickstart-2' or 'quickstart-1'\?"
    ) as caught:
        resolve_study(storage, "quickstart")
    assert "\n" not in str(caught.value)


def test_a_number_is_a_trials(storage: Storage) -> None:
    begin(storage, "s", START)
    with pytest.raises(UserError, match=r"A trial of the newest study is written `newest 3`$"):
        resolve_study(storage, "3")
    begin(storage, "3", START)
    assert resolve_study(storage, "3") == "3"


def test_a_file_of_the_ledger_says_when_it_was_written(storage: Storage) -> None:
    before = datetime.now(UTC)
    storage.claim("s", "")
    write(storage, "s", complete(0, 1.0))
    (name,) = storage.files("s/trials")
    written = file_time(name)
    assert written is not None
    assert before <= written <= datetime.now(UTC)
    assert file_time("notes.txt") is None
