"""`study best` and `study status`, in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_rows import complete, final, final_score, score, write, write_every_state
from paths import ROOT
from typer.testing import CliRunner

from study.cli import app
from study.results.storage import Storage
from study.results.table_files import table_files
from study.spec.errors import UserError


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path))


@pytest.fixture
def ranked(storage: Storage) -> Storage:
    write_every_state(storage)
    return storage


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_table_or_json(ranked: Storage) -> None:
    table = call("best", "s", "--top", "2", "--storage", ranked.uri)
    rows = [line.split()[:2] for line in table.splitlines() if line.strip()]
    assert (rows[0], rows[2:4]) == (["rank", "trial"], [["1", "1"], ["2", "2"]])
    told = json.loads(call("best", "s", "--top", "2", "--format", "json", "--storage", ranked.uri))
    assert [row["trial"] for row in told["search"]] == [1, 2]


def test_finalists_come_first(ranked: Storage) -> None:
    for run in (5, 6):
        write(ranked, "s", final_score(run, float(run)), final(run, 0))
    text = call("best", "s", "--storage", ranked.uri)
    assert text.index("finalists, trained again") < text.index("the search:")
    assert "final runs" in call("status", "s", "--storage", ranked.uri)


def test_nothing_yet(storage: Storage) -> None:
    storage.claim("s", "")
    assert call("best", "s", "--storage", storage.uri) == "no trial of s has a score yet\n"


def test_without_a_name_it_is_the_newest_study(ranked: Storage) -> None:
    for arguments in (("best",), ("best", "newest"), ("status",), ("status", "newest")):
        result = CliRunner().invoke(app, [*arguments, "--storage", ranked.uri])
        assert result.exit_code == 0
        assert result.stderr == "the newest study: s\n"
        assert "the newest study" not in result.stdout
    assert CliRunner().invoke(app, ["best", "s", "--storage", ranked.uri]).stderr == ""


@pytest.mark.parametrize("command", ["best", "status", "explain", "sample", "rescore", "resume"])
def test_an_unknown_name_gets_the_nearest(ranked: Storage, command: str) -> None:
    ranked.claim("digits-20261127", "")
    with pytest.raises(UserError, match=r"^No study named 'digits' is .* 'digits-20261127'\?$"):
        CliRunner().invoke(
            app, [command, "digits", "--storage", ranked.uri], catch_exceptions=False
        )


def test_lists_are_lists_in_json(storage: Storage) -> None:
    storage.claim("s", "")
    row = replace(complete(0, 1.0, channels="[16, 32]"), picks={"channels": "[16, 32]"})
    write(storage, "s", score(0, 1.0), row)
    (shown,) = json.loads(call("best", "s", "--format", "json", "--storage", storage.uri))["search"]
    assert shown["config"] == shown["picks"] == {"channels": [16, 32]}
    sql = 'select picks, "config.channels" as channels, started, 0/0 as nan from trials'
    (shown,) = json.loads(call("query", sql, "--format", "json", "--storage", storage.uri))
    assert shown == {
        "picks": {"channels": [16, 32]},
        "channels": [16, 32],
        "started": row.started.isoformat(),
        "nan": None,
    }


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_a_join_shows_every_column(ranked: Storage, form: str) -> None:
    sql = "from trials join scores on trials.trial = scores.trial and trials.trial = 1"
    shown = call("query", f"select * {sql}", "--format", form, "--storage", ranked.uri)
    for name in ("trial_1", "value_1", "spec_hash", "embedder"):
        assert name in shown


def test_a_damaged_file_is_left_out_with_one_line(ranked: Storage) -> None:
    write(ranked, "s", complete(9, 1.0))
    file = table_files(ranked, "s", "trials")[-1]
    ranked.write_atomic(file, b"not what was written")
    done = subprocess.run(
        [sys.executable, "-m", "study", "list", "--storage", ranked.uri],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"study: warning: {ranked.locate(file)} is damaged")
    assert line.endswith("and is left out")
    assert done.stdout
