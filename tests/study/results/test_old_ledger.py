"""A ledger that an older version of the platform wrote is read by today's.

`tests/ledgers/0.1.0/early` is a small study of version 0.1.0 with search, finals and rescored
trials, less its checkpoints and pictures; `best.txt` is what `study best` printed of it then.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from paths import ROOT
from pyarrow import parquet
from typer.testing import CliRunner

from study.api import open_study
from study.cli import app
from study.driver.resume import read_earlier_run
from study.results.leaderboard import read_leaderboard
from study.results.reader import read_rows, read_study
from study.results.rescored import rescored
from study.results.storage import Storage
from study.results.summary import summarise_study
from study.results.tables import ROW_TYPES, TrialRow
from study.spec import Study

LEDGER = ROOT / "tests" / "ledgers" / "0.1.0"
RANKED = [(1, 15.333720920542326), (3, 16.12422707413034), (0, 16.86254548952344)]


@pytest.fixture
def old() -> Storage:
    return Storage.from_uri(str(LEDGER))


def test_every_table_is_read_as_its_dataclasses(old: Storage) -> None:
    counts = {table: len(read_rows(old, kind, "early")) for table, kind in ROW_TYPES.items()}
    assert counts == {
        "trials": 8, "reports": 22, "scores": 44, "artifacts": 26, "diagnostics": 9,
    }  # fmt: skip
    trials = read_rows(old, TrialRow, "early")
    assert [trial.stage for trial in trials] == ["search"] * 4 + ["final"] * 4
    assert all(isinstance(trial.study, Study) for trial in trials)
    assert trials[0].picks["model.timesteps"] == trials[0].study.model_dump()["model"]["timesteps"]


def test_best_prints_what_it_printed(old: Storage) -> None:
    arguments = ["best", "early", "--storage", old.uri]
    result = CliRunner().invoke(app, arguments, env={"COLUMNS": "110"})
    assert result.output == (LEDGER / "best.txt").read_text()


def test_summary_leader_and_rescored_trials(old: Storage) -> None:
    summary = summarise_study(old, "early")
    assert summary.states == {"complete": 3, "pruned": 1}
    assert (summary.final_runs, summary.best and summary.best.trial) == (4, 1)
    leader = read_leaderboard(old, "early").leader
    assert leader is not None
    assert (leader.trial, leader.run, leader.epoch, leader.final) == (1, 4, 3, True)
    (group,) = rescored(read_study(old, "early"))
    assert [(row.trial, row.before) for row in group.trials] == RANKED[:2]
    assert [row.seeds for row in group.trials] == [2, 2]


def test_it_is_opened_from_python(old: Storage) -> None:
    results = open_study("early", old.uri)
    assert [(row.trial, row.value) for row in results.best(3)] == RANKED
    finals = results.finals()
    assert finals is not None
    assert [row.trial for row in finals.finalists] == [1, 3]
    assert results.front() is None
    assert [*results.trials["picks"].map(type).unique()] == [str]


def test_a_resumed_study_finds_all_trials_ended(old: Storage) -> None:
    earlier = read_earlier_run(old, "early")
    assert earlier.summary(4) == (
        "kept: 3 complete, 1 pruned, 4 final runs; to go on with: 0; to begin: 0"
    )
    assert [len(run.scores or ()) for run in earlier.finals] == [2, 2, 2, 2]
    assert earlier.trials[0].values == (16.86254548952344,)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("trials", "parameters"),
        ("trials", "skipped_pictures"),
        ("trials", "picks"),
        ("scores", "weights"),
        ("scores", "spread"),
        ("reports", "discriminator_loss"),
    ],
)
def test_a_ledger_from_before_a_column_is_read_too(tmp_path: Path, table: str, column: str) -> None:
    shutil.copytree(LEDGER, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "early" / table).iterdir():
        parquet.write_table(parquet.read_table(file).drop_columns([column]), file)
    older = Storage.from_uri(str(tmp_path))
    board = read_leaderboard(older, "early")
    assert [(row.trial, row.value) for row in board.ranked[:3]] == RANKED
    assert board.finals is not None
    assert [row.trial for row in board.finals.finalists] == [1, 3]
    assert read_earlier_run(older, "early").unfinished == ()


def test_a_ledger_from_before_there_were_finals_is_a_search(tmp_path: Path) -> None:
    shutil.copytree(LEDGER, tmp_path, dirs_exist_ok=True)
    for file in (tmp_path / "early" / "trials").iterdir():
        table = parquet.read_table(file)
        if table["repeats"].null_count:
            parquet.write_table(table.drop_columns(["stage", "repeats"]), file)
        else:
            file.unlink()  # of final runs, which were not there yet
    board = read_leaderboard(Storage.from_uri(str(tmp_path)), "early")
    assert [(row.trial, row.value) for row in board.ranked[:3]] == RANKED
    assert board.finals is None
