"""`study explain` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from specs import plain
from trained_trials import trained
from typer.testing import CliRunner, Result

from study.cli import app
from study.results.storage import Storage

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    """A study of one trained trial."""
    storage = Storage.from_uri(str(tmp_path_factory.mktemp("studies")))
    storage.claim("small", yaml.safe_dump(plain()))
    trained(storage, 0, value=1.0)
    return storage


def explain(storage: Storage, *arguments: str) -> Result:
    command = ["explain", *arguments, "--only", "bound", "--storage", storage.uri]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return result


def test_json_has_the_numbers(storage: Storage, tmp_path: Path) -> None:
    result = explain(storage, "small", "0", "--format", "json", "-o", str(tmp_path))
    assert result.stderr == "bound ...\n"
    shown = json.loads(result.stdout)
    assert (shown["study"], shown["trial"], shown["folder"]) == ("small", 0, str(tmp_path))
    (bound,) = shown["explained"]
    assert bound["name"] == "bound"
    assert {path.name for path in tmp_path.iterdir()} == {*bound["files"]}
    assert {"quantity", "value", "axis", "x"} <= bound["measures"][0].keys()


def test_quiet_prints_what_comes_out_alone(storage: Storage) -> None:
    result = explain(storage, "--quiet")
    assert result.stderr == ""
    assert "bound" in result.stdout


def test_without_names_it_is_the_newest_studys_best_trial(storage: Storage) -> None:
    result = explain(storage)
    assert result.stderr == "the newest study: small\nbound ...\n"
    assert "trial 0 of small" in result.stdout
