from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_rows import complete, final, final_score, score, spec, write
from typer.testing import CliRunner

from study.api import Results
from study.cli import app
from study.results.collapsed import any_collapsed
from study.results.leaderboard import read_leaderboard
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ScoreRow

NOTE = "the images hardly vary, or their recall is 0"


@pytest.mark.parametrize(
    ("marks", "expected"),
    [((), None), ((None,), None), ((None, False), False), ((False, True, None), True)],
)
def test_one_collapsed_score_marks_all(
    marks: tuple[bool | None, ...], expected: bool | None
) -> None:
    assert any_collapsed(marks) is expected


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """Two trials, the better one of which has collapsed."""
    storage = Storage.from_uri(str(tmp_path))
    storage.claim("s", "")
    write(
        storage,
        "s",
        replace(score(0, 3.0), collapsed=False, variation=0.7),
        replace(complete(0, 3.0, lr=0.1), collapsed=False),
        replace(score(1, 2.0), collapsed=True, variation=3e-5),
        replace(complete(1, 2.0, lr=0.2), collapsed=True),
        *(score(2, 4.0), complete(2, 4.0, lr=0.3)),  # of a version that did not know
    )
    return storage


def shown(storage: Storage, *arguments: str) -> str:
    command = [*arguments, "--storage", storage.uri]
    result = CliRunner().invoke(app, command, env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.output
    return result.output


def test_best_marks_a_trial_that_has_collapsed_and_says_what_that_is(storage: Storage) -> None:
    page = shown(storage, "best", "s")
    first, second, third = (line for line in page.splitlines() if "complete" in line)
    assert "complete, collapsed" in first
    assert "collapsed" not in second + third
    assert f"collapsed (trial 1): {NOTE}" in page


def test_every_format_has_the_mark(storage: Storage) -> None:
    tree = json.loads(shown(storage, "best", "s", "--format", "json"))
    assert [row["collapsed"] for row in tree["search"]] == [True, False, None]
    sql = "select trial, collapsed from trials order by trial"
    assert shown(storage, "query", sql, "--format", "csv").split() == [
        '"trial","collapsed"', "0,false", "1,true", "2,",
    ]  # fmt: skip
    scores = read_rows(storage, ScoreRow, "s")
    assert {row.trial: (row.variation, row.collapsed) for row in scores} == {
        0: (0.7, False), 1: (3e-5, True), 2: (None, None),
    }  # fmt: skip
    assert [row.collapsed for row in Results("s", storage).best()] == [True, False, None]


def test_a_finalist_is_marked_by_any_of_its_runs(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    storage.claim("s", "")
    full = {**spec(), "finalists": {"top": 2}}
    rows = [replace(complete(trial, 3.0 + trial), spec=full) for trial in (0, 1)]
    runs = [final(2, 0, 3.0), replace(final(3, 0, 3.1), collapsed=True), final(4, 1, 4.0)]
    write(
        storage,
        "s",
        *(row for trial in rows for row in (score(trial.trial, trial.value or 0), trial)),
        *(row for run in runs for row in (final_score(run.trial, run.value or 0), run)),
    )
    finals = read_leaderboard(storage, "s").finals
    assert finals is not None
    assert {one.trial: one.collapsed for one in finals.finalists} == {0: True, 1: None}
    assert f"collapsed (trial 0): {NOTE}" in shown(storage, "best", "s")
