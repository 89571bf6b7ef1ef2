from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ray
from paths import ROOT

from study.lanes import local_ray
from study.lanes.local_ray import LONGEST_SOCKET, SOCKET_TAIL, explain_start, ray_folder, start_ray
from study.spec import UserError


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Where nothing says where Ray keeps its files."""
    for variable in ("RAY_TMPDIR", "TMPDIR"):
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def test_ray_keeps_its_files_where_it_would_by_itself(environment: pytest.MonkeyPatch) -> None:
    assert ray_folder() is None
    environment.setenv("TMPDIR", "/tmp")
    assert ray_folder() is None


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_too_long_for_a_socket_gets_a_short_one(
    environment: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    longest = LONGEST_SOCKET - len(SOCKET_TAIL)
    long = tmp_path / ("x" * longest)
    environment.setenv(variable, str(long))
    short = ray_folder()
    assert short is not None
    assert len(short) <= longest
    assert stat.S_IMODE(Path(short).stat().st_mode) == 0o700  # for nobody else
    assert list(Path(short).iterdir()) == []
    Path(short).rmdir()


def test_the_limit_is_that_of_rays_own_check() -> None:
    from ray._private.utils import validate_socket_filepath

    longest = "/" + "x" * (LONGEST_SOCKET - len(SOCKET_TAIL) - 1) + SOCKET_TAIL
    validate_socket_filepath(longest)
    with pytest.raises(OSError, match="AF_UNIX path length"):
        validate_socket_filepath(f"/{longest}")


def test_a_long_temporary_folder_beside_a_short_one_of_rays_gets_a_short_one(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.setenv("RAY_TMPDIR", "/tmp")
    environment.setenv("TMPDIR", str(tmp_path / ("x" * 90)))
    short = ray_folder()
    assert short is not None
    Path(short).rmdir()


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_that_is_a_file_is_one_line(
    environment: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "file").write_text("")
    for named in (tmp_path / "file", tmp_path / "file" / "below"):
        environment.setenv(variable, str(named))
        with pytest.raises(UserError, match=f"^{variable} is {named}, where Ray cannot") as caught:
            start_ray()
        assert "\n" not in str(caught.value)
        assert "set RAY_TMPDIR to a short folder" in str(caught.value)


ERRORS: list[tuple[Exception, str]] = [
    (OSError(28, "No space left on device"), "free some space"),
    (PermissionError(13, "Permission denied", "/x/ray"), "that you can write"),
    (OSError(30, "Read-only file system"), "that you can write"),
    (ValueError("The configured object store size exceeds /dev/shm size"), "--shm-size=1g"),
    (OSError(98, "Address already in use"), "taken a port since: try again"),
    (RuntimeError("Failed to start GCS.\nLast 20 lines of its log\n..."), ""),
]


@pytest.mark.parametrize(("error", "advice"), ERRORS)
def test_why_ray_does_not_start_is_one_line(
    environment: pytest.MonkeyPatch, error: Exception, advice: str
) -> None:
    calls = []

    def init(**options: Any) -> None:
        calls.append(options)
        raise error

    environment.setattr(ray, "init", init)
    with pytest.raises(UserError, match="Ray does not start here") as caught:
        start_ray()
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 400
    assert advice in line
    assert len(calls) == 1


SLOW = Exception(
    "The current node timed out during startup. This could happen because some of the raylet "
    "failed to startup or the GCS has become overloaded."
)


def test_a_ray_that_is_only_slow_is_started_again(environment: pytest.MonkeyPatch) -> None:
    calls = []

    def init(**options: Any) -> str:
        calls.append(options)
        if len(calls) == 1:
            raise SLOW
        return "context"

    environment.setattr(ray, "init", init)
    assert start_ray() == "context"
    assert len(calls) == 2


def test_a_ray_that_stays_slow_is_given_up(environment: pytest.MonkeyPatch) -> None:
    calls = []

    def init(**options: Any) -> None:
        calls.append(options)
        raise SLOW

    environment.setattr(ray, "init", init)
    with pytest.raises(UserError, match="timed out during startup; this machine may be busy"):
        start_ray()
    assert len(calls) == local_ray.STARTS


def test_an_error_without_words_has_its_name() -> None:
    assert explain_start(AssertionError(), 3.0) == (
        "Ray does not start here (after 3 s): AssertionError"
    )


START = """
import os, ray
from study.lanes.local_ray import start_ray
start_ray(cpus=1)
session = ray._private.worker._global_node.get_session_dir_path()
assert session.startswith("/tmp/fidtune-"), session
# What Ray's processes start has the short folder too, and we have ours.
seen = ray.get(ray.remote(lambda: os.environ["TMPDIR"]).remote())
assert session.startswith(seen), seen
assert os.environ["TMPDIR"].endswith("a-batch-system")
ray.shutdown()
print(seen)
"""


@pytest.mark.ray
def test_ray_starts_below_a_long_folder(tmp_path: Path) -> None:
    # In a process of its own: the other tests share a Ray.
    folder = tmp_path / "slurm_jobdir" / "1355700" / "a-rather-long-folder-name-of-a-batch-system"
    environment = {**os.environ, "TMPDIR": str(folder), "PYTHONPATH": str(ROOT)}
    environment.pop("RAY_TMPDIR", None)
    done = subprocess.run(
        [sys.executable, "-c", START], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.split()[-1]).exists()
