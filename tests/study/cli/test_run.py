from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from ledger_rows import complete, final, final_score, score, write
from study_trees import TEXT, parse_study, tree

from study import cli
from study.cli.run import print_result
from study.driver.files import samples_name
from study.results import parquet_tables
from study.results.leaderboard import read_leaderboard
from study.results.storage import Storage
from study.spec.schema import study_schema
from study.spec.schema_section import section_schema

Output = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in, with a study file beside it that is fine."""
    (tmp_path / "small.yaml").write_text(TEXT)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("STUDY_STORAGE", raising=False)
    return tmp_path / "here"


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["study", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert isinstance(code, int)
    return code


def fails(monkeypatch: pytest.MonkeyPatch, capsys: Output, *arguments: str) -> str:
    """Call with a mistake in it: exit code 2, one line on stderr, nothing on stdout or disk."""
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("study: ")
    assert output.err.count("\n") == 1
    assert output.err.endswith("\n")
    assert [*Path.cwd().iterdir()] == []
    return output.err


BAD_FILES = {
    "name: x\ndata: [": "bad.yaml:2: broken YAML",
    TEXT + "name: again\n": "bad.yaml:18: the key `name` stands here twice",
    TEXT.replace(
        "epochs", "epoch"
    ): "bad.yaml:13: train.epoch: unknown key; did you mean `epochs`?",
    TEXT.replace("epochs: 9", "epochs: nine"): "bad.yaml:13: train.epochs: 'nine' must be",
    TEXT.replace("epochs: 9", "epochs: -9"): "bad.yaml:13: train.epochs: -9 must be greater",
    TEXT.replace("[1e-4, 1e-2]", "[1e-2, 1e-4]"): "low 0.01 is greater than high 0.0001",
    TEXT.replace("[1e-4, 1e-2]", "[0, 1e-2]"): "log of 0",
    TEXT.replace("[32, 64]", "[]"): "bad.yaml:14: train.batch_size: an empty choice",
    TEXT.replace("[0.1, 0.999]", "[0.1, 2]"): "bad.yaml:9: model.schedule.max_beta: 2.0 must be",
    TEXT.replace("digits", "cifar"): "bad.yaml:2: data.dataset: unknown data set 'cifar'",
    TEXT.replace("fd_pixels", "fd_lenets"): "bad.yaml:16: score.metric: unknown metric 'fd_lenets'",
    TEXT.replace("fd_pixels", "fd_vae, embedder: clip"): "unknown embedder 'clip'",
    TEXT.replace("random", "tpee"): "bad.yaml:17: search.sampler: 'tpee' is not one of tpe",
    TEXT.replace("trials: 4", "trials: 4, pruner: asha, objectives: [score, parameters]"): (
        "the pruner 'asha' cannot stop trials by several objectives"
    ),
    TEXT.replace("trials: 4", "trials: 4, pruner: hyper"): "unknown pruner 'hyper'",
    TEXT.replace("trials: 4", "trials: 4, enqueue: [{model: 1}]"): "no such dimension",
}


@pytest.mark.parametrize(("text", "message"), BAD_FILES.items(), ids=lambda text: text[-20:])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_bad_study_file_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    command: str,
    text: str,
    message: str,
) -> None:
    bad = folder.parent / "bad.yaml"
    bad.write_text(text)
    error = fails(monkeypatch, capsys, command, str(bad))
    assert message in error
    assert str(bad) in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (["run", ".."], "..: cannot be read (Is a directory)"),
        (["run", "../small.yaml", "--set", "train.epochs"], "an override is written PATH=VALUE"),
        (["run", "../small.yaml", "--set", "train.epoch=1"], "did you mean `epochs`?"),
        (["check", "../small.yaml", "--set", "train.epochs=0"], "--set train.epochs=0: train."),
        (["run", "../small.yaml", "--name", "a/b"], "--name a/b: name: 'a/b' must be 1 to 80"),
        (["check", "../small.yaml", "--set", "scale.workers_per_trial=999"], "can never be placed"),
        (["run", "../small.yaml", "--storage", "../small.yaml/x"], "cannot be written"),
        (["run", "../small.yaml", "--storage", "ftp://x/y"], "must be a folder, file:// or s3://"),
        (["resume", "small"], "No study named 'small' is in"),
        (["status", "small"], "No study named 'small' is in"),
        (["best", "small"], "No study named 'small' is in"),
        (["best", "../x"], "No study named '../x' is in"),
        (["sample", "small", "0"], "No study named 'small' is in"),
        (["explain", "small"], "No study named 'small' is in"),
        (["sample", "small", "0", "-o", "no/grid.png"], "-o no/grid.png: the folder"),
        (["query", "select nothing"], "nothing"),
        (["query", "selekt 1"], "syntax error"),
        (
            ["query", "select * from runs"],
            "the tables are trials, reports, scores, artifacts, diagnostics",
        ),
        (["query", "copy (select 1) to 'x.csv'"], ""),
        (["query", "select * from read_csv('/etc/passwd')"], ""),
        (["submit", "nowhere.yaml", "--address", "http://localhost:1"], "no such file"),
        (["submit", "../small.yaml", "--address", "localhost"], "as http://HOST:8265"),
    ],
)
def test_a_mistake_is_one_line(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    arguments: list[str],
    message: str,
) -> None:
    assert message in fails(monkeypatch, capsys, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "Missing argument"),
        (["run", "../small.yaml", "--epochs", "3"], "No such option"),
        (["run", "../small.yaml", "--trials", "0"], "Invalid value for '--trials'"),
        (["run", "../small.yaml", "--trials", "many"], "Invalid value for '--trials'"),
        (["rnu"], "No such command"),
        (["best", "small", "--top", "0"], "Invalid value for '--top'"),
        (["sample", "small", "x"], "Invalid value for 'trial'"),
        (["query", "select 1", "--format", "xml"], "xml"),
        (["submit", "../small.yaml"], "Missing option"),
    ],
)
def test_wrong_usage_says_what_is_wrong(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert call(monkeypatch, *arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert "Traceback" not in output.err
    assert [*folder.iterdir()] == []


def claim(folder: Path, name: str = "small") -> Storage:
    storage = Storage.from_uri(str(folder.parent / "studies"))
    storage.claim(name, parse_study(tree()).text)
    return storage


def test_a_name_that_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    claim(folder)
    before = sorted(folder.parent.rglob("*"))
    error = fails(monkeypatch, capsys, "run", "../small.yaml", "--storage", "../studies")
    assert "a study named 'small' is already in" in error
    assert "choose another with --name" in error
    assert sorted(folder.parent.rglob("*")) == before


def test_a_name_that_is_nearly_right(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    claim(folder)
    for command in ("status", "best", "resume"):
        error = fails(monkeypatch, capsys, command, "smal", "--storage", "../studies")
        assert "did you mean 'small'?" in error


def test_a_trial_that_is_not_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    claim(folder)
    error = fails(monkeypatch, capsys, "sample", "small", "5", "--storage", "../studies")
    assert "no trial 5 in study 'small', which has none yet" in error


def test_the_storage_may_come_from_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    claim(folder)
    monkeypatch.setenv("STUDY_STORAGE", "../studies")
    assert call(monkeypatch, "list") == 0
    assert "small" in capsys.readouterr().out


def test_the_schema_is_json(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output) -> None:
    assert call(monkeypatch, "schema") == 0
    assert json.loads(capsys.readouterr().out) == study_schema()
    assert call(monkeypatch, "schema", "train.optimizer") == 0
    assert json.loads(capsys.readouterr().out) == section_schema("train.optimizer")
    assert call(monkeypatch, "schema", "train.optimzer") == 2
    assert "did you mean `optimizer`?" in capsys.readouterr().err


def study(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "study", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "nowhere.yaml"], "study: nowhere.yaml: no such file"),
        (["run", "../small.yaml", "--set", "train.epochs=x"], "'x' must be a valid integer"),
        (["query", "selekt 1"], "syntax error"),
    ],
)
def test_the_program_itself(folder: Path, arguments: list[str], message: str) -> None:
    done = study(folder, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert [*folder.iterdir()] == []


def test_a_run_that_is_over_reads_its_ledger_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    from study.lanes.run import read_result  # which imports Ray

    storage = Storage.from_uri(str(tmp_path))
    storage.claim("s", "")
    write(storage, "s", score(0, 5.0), complete(0, 5.0), final_score(1, 4.0), final(1, 0, 4.0))
    storage.write_atomic(samples_name("s", 1, 4), b"a picture")
    tables: list[str] = []
    read_table = parquet_tables.read_table

    def count(storage: Storage, table: str, studies: list[str]) -> object:
        tables.append(table)
        return read_table(storage, table, studies)

    monkeypatch.setattr(parquet_tables, "read_table", count)
    print_result(read_result(storage, "s", interrupted=False), None)
    assert tables == ["trials", "scores"]
    shown = capsys.readouterr().out
    assert "finalists, trained again" in shown
    assert "study sample s 1 -n 64" in shown
    assert storage.read("s/best.png") == b"a picture"


def test_a_quiet_run_prints_what_it_came_to(tmp_path: Path, capsys: Output) -> None:
    from study.lanes.run import RunResult  # which imports Ray

    storage = Storage.from_uri(str(tmp_path))
    storage.claim("s", "")
    write(storage, "s", score(0, 5.0), complete(0, 5.0))
    board = read_leaderboard(storage, "s")
    print_result(RunResult(storage, interrupted=False, board=board, picture=None), None, quiet=True)
    shown = capsys.readouterr().out
    assert shown.split()[:3] == ["rank", "trial", "score"]
    assert "next:" not in shown
    assert storage.uri not in shown
    with pytest.raises(typer.Exit) as ended:
        print_result(RunResult(storage, interrupted=True, board=board, picture=None), None, True)
    assert ended.value.exit_code == 130


@pytest.mark.parametrize("succeeds", [True, False])
@pytest.mark.parametrize("quiet", [True, False])
def test_a_quiet_submission_prints_the_jobs_id_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, quiet: bool, succeeds: bool
) -> None:
    from study.lanes import submit  # which imports Ray

    def follow_job(address: str, job: str, show: Callable[[str], None]) -> bool:
        show("a line of the log\n")
        return succeeds

    monkeypatch.setattr(submit, "submit_study", lambda study_file, address, storage: "job-1")
    monkeypatch.setattr(submit, "follow_job", follow_job)
    arguments = ["submit", "../small.yaml", "--address", "http://head", *["-q"] * quiet]
    assert call(monkeypatch, *arguments) == (0 if succeeds else 1)
    output = capsys.readouterr()
    if quiet:
        assert output.out == "job-1\n"
        failed = "job job-1 has failed: ray job logs --address http://head job-1\n"
        assert output.err == ("" if succeeds else failed)
    else:
        assert output.out == "job job-1 on http://head\na line of the log\n"
    assert call(monkeypatch, *arguments, "--detach") == 0
    assert ("ray job logs" in capsys.readouterr().out) is not quiet
    del folder
