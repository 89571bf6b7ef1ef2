"""Commands in every encoding that a terminal, a log or a batch system may have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ledger_rows import write_every_state

from study.results.storage import Storage

ENCODINGS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "utf-8": {"PYTHONIOENCODING": "utf-8"},
}


def study(folder: Path, encoding: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **ENCODINGS[encoding], "COLUMNS": "100"}
    return subprocess.run(
        [sys.executable, "-m", "study", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two storages, one with an umlaut in its name, with a study each."""
    folder = tmp_path_factory.mktemp("encodings")
    for name in ("größe", "plain"):
        write_every_state(Storage.from_uri(str(folder / name)))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_reading_command_prints_in_every_encoding(folder: Path, encoding: str) -> None:
    # In the C locale of Python an umlaut in a file's name is no text.
    storage, text = ("plain", "x") if encoding == "C" else ("größe", "ä ± 漢")
    for arguments in (
        ["best", "s"],
        ["best", "s", "--format", "json"],
        ["query", f"select trial, value, '{text}' as text from trials"],
        ["query", f"select '{text}' as text", "--format", "csv"],
        ["query", f"select '{text}' as text", "--format", "json"],
        ["list"],
        ["status", "s"],
    ):
        done = study(folder, encoding, *arguments, "--storage", storage)
        assert (done.returncode, done.stderr) == (0, b""), arguments
        assert done.stdout
        done.stdout.decode("utf-8" if encoding == "utf-8" else "latin-1")


@pytest.mark.slow
def test_replacements_can_be_read(folder: Path) -> None:
    sql = "select 'größe ± 3 … → 漢' as text"
    done = study(folder, "ascii", "query", sql, "--storage", "größe")
    assert "grosse +/- 3 ..." in done.stdout.decode("ascii")
    # What programs read is escaped, and in JSON the same text.
    done = study(folder, "ascii", "query", sql, "--format", "json", "--storage", "größe")
    assert json.loads(done.stdout) == [{"text": "größe ± 3 … → 漢"}]
    for encoding, sign in (("utf-8", b"\xc2\xb1"), ("latin-1", b"\xb1")):
        done = study(folder, encoding, "query", sql, "--storage", "größe")
        assert sign in done.stdout


@pytest.mark.slow
def test_a_mistake_is_one_line_in_every_encoding(folder: Path) -> None:
    for encoding in ENCODINGS:
        done = study(folder, encoding, "best", "häß", "--storage", "größe")
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.count(b"\n") == 1


@pytest.mark.slow
def test_scores_are_printed_in_ascii(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "ä.npy", images)
    done = study(
        tmp_path, "ascii", "score", "ä.npy", "--against", "ä.npy", "--embedder", "pixels",
        "--cache", "cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done.stdout.decode("ascii")


@pytest.mark.slow
def test_a_name_that_is_no_text_here_is_one_line(folder: Path) -> None:
    done = study(folder, "C", "list", "--storage", "größe")
    assert done.returncode == 2
    (line,) = done.stderr.decode("ascii").splitlines()
    assert line.endswith("cannot be read in this locale: set PYTHONUTF8=1")


@pytest.mark.slow
def test_a_working_folder_that_was_deleted(folder: Path, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        shell = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
        python = [sys.executable, "-c", "from study.cli import main; main()"]
        return subprocess.run(
            ["sh", "-c", shell, "sh", *python, *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
            capture_output=True,
            text=True,
            check=False,
        )

    for arguments in (["list", "--storage", str(folder / "plain")], ["run", "a.yaml"], ["list"]):
        done = run(*arguments)
        assert done.returncode == 2
        (line,) = done.stderr.splitlines()
        assert line == "study: the working folder does not exist any more: cd to another"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
@pytest.mark.parametrize("arguments", [["best"], ["best", "--format", "json"], ["list"], ["-h"]])
def test_an_output_that_cannot_be_written_is_one_line(folder: Path, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "study", *arguments],
            cwd=folder,
            env={**os.environ, "STUDY_STORAGE": "plain"},
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    lines = done.stderr.decode().splitlines()
    assert lines[-1] == "study: The output cannot be written: No space left on device"
    assert done.returncode == 2
    assert not [line for line in lines if "Traceback" in line or "Exception ignored" in line]


def test_who_reads_no_further_is_no_mistake(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "study", "schema"],
        cwd=folder,
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1
