"""Studies on an S3 endpoint, which is away for a while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from s3_server import Endpoint, s3_endpoint
from simulated import content, grid_study, in_folder, learning

from study import cli
from study.driver.events import Event, TrialReported
from study.driver.lease import take_lease
from study.results.outage import StorageUnavailable
from study.results.s3 import ATTEMPTS
from study.results.storage import Storage
from study.simulation.run import simulate
from study.spec.errors import UserError

pytestmark = pytest.mark.slow

FOREVER = 10**9


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    with s3_endpoint() as endpoint:
        yield endpoint


@pytest.fixture
def endpoint(served: Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    yield served
    served.away = 0


def recorded(storage: Storage) -> dict[str, list[dict[str, Any]]]:
    """What does not depend on when it was written, and where."""
    moments = ("written", "sequence", "started", "ended", "lane")
    return {
        name: [{n: v for n, v in row.items() if n not in moments} for row in rows]
        for name, rows in content(storage).items()
    }


def test_a_study_goes_on_when_the_endpoint_is_back(endpoint: Endpoint, tmp_path: Path) -> None:
    study = grid_study(trials=3)
    whole = in_folder(tmp_path)
    simulate(study, whole, learning(), lanes=1, flush_seconds=None)
    storage = Storage.from_uri(endpoint.uri)
    before = endpoint.refused

    def leave(event: Event) -> None:
        if isinstance(event, TrialReported) and (event.report.number, event.report.epoch) == (1, 4):
            endpoint.away = 3 * ATTEMPTS

    simulate(study, storage, learning(), lanes=1, flush_seconds=None, listeners=[leave])
    assert endpoint.refused >= before + 3 * ATTEMPTS
    assert recorded(storage) == recorded(whole)
    # It is held by one driver, and what it was is listed.
    take_lease(storage, "small")
    with pytest.raises(UserError, match="is run by"):
        take_lease(storage, "small")
    with pytest.raises(UserError, match="already in"):
        storage.claim("small", "")
    assert storage.studies() == ["small"]
    storage.check_writable()


@pytest.mark.parametrize("command", [["list"], ["status"], ["best"], ["status", "small"]])
def test_without_the_endpoint_a_command_is_one_line(
    endpoint: Endpoint,
    command: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint.away = FOREVER
    before = endpoint.refused
    monkeypatch.setattr("sys.argv", ["study", *command, "--storage", endpoint.uri])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("study: The storage s3://bucket/studies")
    assert "cannot be read" in line
    assert len(line) <= 600
    assert endpoint.refused - before <= 2 * ATTEMPTS  # it does not ask for ever


def test_a_write_without_the_endpoint_can_be_tried_again(endpoint: Endpoint) -> None:
    storage = Storage.from_uri(endpoint.uri)
    endpoint.away = FOREVER
    with pytest.raises(StorageUnavailable, match="cannot be written"):
        storage.write_atomic("small/file", b"1")
    with pytest.raises(UserError, match="cannot be written"):
        storage.check_writable()
    endpoint.away = 0
    storage.write_atomic("small/file", b"2")
    assert storage.read("small/file") == b"2"
