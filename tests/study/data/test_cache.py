from __future__ import annotations

import hashlib
import logging
import multiprocessing
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from study.data.cache import get_or_make, user_cache_folder
from study.spec.errors import UserError


def ask(folder: Path, make: Callable[[], str], key: str = "answer.txt") -> str:
    return get_or_make(folder, key, make=make, save=str.encode, load=bytes.decode)


def never() -> str:
    raise AssertionError("made although the cache holds it")


def ask_and_count(folder: Path, ready: threading.Barrier) -> None:
    def make() -> str:
        with (folder / "calls").open("a") as calls:
            calls.write("made\n")
        return "42" * 100_000

    ready.wait()
    assert ask(folder, make) == "42" * 100_000


def test_it_is_made_once_and_then_read(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    assert ask(folder, lambda: "42") == "42"
    assert ask(folder, never) == "42"
    assert ask(folder, lambda: "43", key="other.txt") == "43"


def test_the_first_caller_gets_what_the_others_read(tmp_path: Path) -> None:
    value = get_or_make(
        tmp_path, "rounded", make=lambda: 0.123, save=lambda x: f"{x:.1f}".encode(), load=float
    )
    assert value == 0.1


@pytest.mark.parametrize("suffix", ["", ".sha256"])
@pytest.mark.parametrize("content", [b"", b"4", b"\x00\xff rubbish", None])
def test_damage_is_reported_in_one_line_and_mended(
    tmp_path: Path, suffix: str, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    ask(tmp_path, lambda: "42")
    damaged = tmp_path / f"answer.txt{suffix}"
    if content is None:
        damaged.unlink()
    else:
        damaged.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert ask(tmp_path, lambda: "42") == "42"
    payload_lost = suffix == "" and content is None
    assert len(caplog.messages) == (0 if payload_lost else 1)
    assert all("answer.txt is damaged" in line and "\n" not in line for line in caplog.messages)
    assert ask(tmp_path, never) == "42"


def test_the_digest_file_is_what_sha256sum_reads(tmp_path: Path) -> None:
    ask(tmp_path, lambda: "42")
    line = (tmp_path / "answer.txt.sha256").read_text()
    assert line == f"{hashlib.sha256(b'42').hexdigest()}  answer.txt\n"


def test_a_failure_leaves_nothing_behind_and_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        ask(tmp_path, never)
    assert not (tmp_path / "answer.txt").exists()
    assert ask(tmp_path, lambda: "42") == "42"
    assert not list(tmp_path.glob("*.tmp"))


def test_an_error_of_make_is_not_blamed_on_the_folder(tmp_path: Path) -> None:
    def make() -> str:
        raise PermissionError("something else")

    with pytest.raises(PermissionError):
        ask(tmp_path, make)


def test_processes_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Barrier(6)
    processes = [context.Process(target=ask_and_count, args=(tmp_path, ready)) for _ in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 6
    assert (tmp_path / "calls").read_text() == "made\n"


def test_threads_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    ready = threading.Barrier(6)
    threads = [threading.Thread(target=ask_and_count, args=(tmp_path, ready)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "calls").read_text() == "made\n"


def test_a_folder_that_is_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cache folder .*file can not be used"):
        ask(tmp_path / "file", never)


def test_the_user_cache_folder_follows_xdg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert user_cache_folder() == Path("/somewhere/fidtune")
    for unusable in ("", "relative/path"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert user_cache_folder() == Path.home() / ".cache/fidtune"
