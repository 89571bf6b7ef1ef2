from __future__ import annotations

import itertools
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from claims import claim
from hypothesis import given
from hypothesis import strategies as st

from study.results.storage import Storage, check_name, default_storage, join
from study.spec.errors import UserError


def test_files_are_written_listed_read_and_deleted(any_storage: Storage) -> None:
    any_storage.write_atomic("s/trials/b.parquet", b"2")
    any_storage.write_atomic("s/trials/a.parquet", b"1")
    any_storage.write_atomic("s/trials/a.parquet", b"3")
    any_storage.write_atomic("s/trials/.hidden", b"4")
    assert any_storage.files("s/trials") == ["a.parquet", "b.parquet"]
    assert any_storage.read("s/trials/a.parquet") == b"3"
    any_storage.delete("s/trials/a.parquet")
    assert not any_storage.exists("s/trials/a.parquet")
    with pytest.raises(FileNotFoundError):
        any_storage.read("s/trials/a.parquet")


def test_a_folder_that_is_not_there_is_empty(any_storage: Storage) -> None:
    assert any_storage.files("s/trials") == []
    assert any_storage.studies() == []


def test_a_failed_write_leaves_the_old_file_and_nothing_else(storage: Storage) -> None:
    storage.write_atomic("s/file", b"old")
    with pytest.raises(TypeError):
        storage.write_atomic("s/file", "not bytes")
    assert storage.read("s/file") == b"old"
    assert [path.name for path in Path(storage.path("s")).iterdir()] == ["file"]


def test_claim_writes_the_study_file_and_takes_the_name(any_storage: Storage) -> None:
    any_storage.claim("mnist.1", "name: mnist.1\n")
    assert any_storage.read("mnist.1/study.yaml") == b"name: mnist.1\n"
    assert any_storage.studies() == ["mnist.1"]
    with pytest.raises(UserError, match=r"a study named 'mnist\.1' is already in .*--name"):
        any_storage.claim("mnist.1", "name: other\n")
    assert any_storage.read("mnist.1/study.yaml") == b"name: mnist.1\n"
    assert any_storage.files("mnist.1") == ["study.yaml"]


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns after microseconds rather than after milliseconds."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("restless_threads")
def test_only_one_of_many_threads_gets_each_name(any_storage: Storage) -> None:
    barrier = threading.Barrier(6)

    def race(index: int) -> list[str]:
        won = []
        for name in map(str, range(20)):
            barrier.wait()
            try:
                any_storage.claim(name, f"{index}")
            except UserError:
                continue
            won.append(name)
        return won

    with ThreadPoolExecutor(6) as pool:
        won = [*pool.map(race, range(6))]
    assert sorted(itertools.chain(*won), key=int) == [*map(str, range(20))]
    for index, names in enumerate(won):
        for name in names:
            assert any_storage.read(f"{name}/study.yaml") == str(index).encode()


def test_only_one_of_two_processes_gets_each_name(storage: Storage) -> None:
    context = multiprocessing.get_context("spawn")
    jobs = [(storage.uri, index // 2) for index in range(40)]
    with context.Pool(2) as pool:
        won = pool.starmap(claim, jobs, chunksize=1)
    assert sum(won) == 20
    hidden = [path for path in Path(storage.root).iterdir() if path.name.startswith(".")]
    assert hidden == []


def test_a_file_is_created_once(any_storage: Storage) -> None:
    assert any_storage.create("s/lease/1.json", b"mine")
    assert not any_storage.create("s/lease/1.json", b"theirs")
    assert any_storage.read("s/lease/1.json") == b"mine"
    assert any_storage.files("s/lease") == ["1.json"]


def test_only_one_of_many_threads_creates_a_file(any_storage: Storage) -> None:
    with ThreadPoolExecutor(6) as pool:
        created = [*pool.map(lambda i: any_storage.create("s/1.json", b"%d" % i), range(6))]
    assert sum(created) == 1
    assert any_storage.read("s/1.json") == b"%d" % created.index(True)


def test_folders_that_are_no_studies_are_not_listed(any_storage: Storage) -> None:
    any_storage.claim("real", "")
    any_storage.write_atomic(".cache/reference", b"")
    any_storage.write_atomic("notes/readme", b"")
    assert any_storage.studies() == ["real"]


def test_an_unknown_study_is_told_with_its_nearest(any_storage: Storage) -> None:
    any_storage.claim("mnist-schedules", "")
    any_storage.require("mnist-schedules")
    with pytest.raises(UserError, match="did you mean 'mnist-schedules'"):
        any_storage.require("mnist-schedule")
    with pytest.raises(UserError, match="study list"):
        any_storage.require("../..")


def test_writable_is_checked_without_a_trace(any_storage: Storage, tmp_path: Path) -> None:
    any_storage.check_writable()
    assert any_storage.studies() == []
    assert list(tmp_path.iterdir()) == []


def test_a_storage_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written: Not a directory") as caught:
        Storage.from_uri(str(tmp_path / "file" / "studies")).check_writable()
    assert "\n" not in str(caught.value)


def test_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Storage.from_uri("studies").root == str(tmp_path / "studies")
    assert Storage.from_uri("file:///srv/my%20studies").root == "/srv/my studies"
    assert Storage.from_uri("studies").locate("a/b") == str(tmp_path / "studies/a/b")
    for wrong in ("ftp://host/studies", "", "file://"):
        with pytest.raises(UserError, match="The storage is"):
            Storage.from_uri(wrong)


def test_an_s3_address() -> None:
    storage = Storage.from_uri("s3://bucket/studies/?region=eu-west-1")
    assert storage.root == "bucket/studies"
    assert storage.path("a/study.yaml") == "bucket/studies/a/study.yaml"
    assert not storage.is_local


def test_the_default_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STUDY_STORAGE", raising=False)
    assert default_storage() == "./studies"
    monkeypatch.setenv("STUDY_STORAGE", "s3://bucket/studies")
    assert default_storage() == "s3://bucket/studies"


def test_a_storage_can_be_sent_to_another_process(storage: Storage) -> None:
    storage.write_atomic("file", b"1")
    assert pickle.loads(pickle.dumps(storage)).read("file") == b"1"


@given(st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}", fullmatch=True))
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".cache", "a/b", "a b", "é", "x" * 81, "a\n", "..", "a:b"])
def test_bad_names(name: str) -> None:
    with pytest.raises(UserError, match="The study name is"):
        check_name(name)


def test_join() -> None:
    assert join("a", "", "b/", "c") == "a/b/c"
