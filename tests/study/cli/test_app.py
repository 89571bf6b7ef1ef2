from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from study import cli
from study.cli.app import program
from study.results.storage import Storage

COMMANDS = get_command(cli.app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_uses_each_of_its_options(name: str) -> None:
    function = inspect.unwrap(COMMANDS[name].callback)
    (tree,) = ast.parse(inspect.getsource(function)).body
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert set(inspect.signature(function).parameters) <= used


@pytest.mark.parametrize("command", [["-m", "study"], ["-c", "import study.cli; study.cli.main()"]])
def test_the_version_is_the_distributions(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, *command, "--version"], capture_output=True, text=True, check=True
    )
    assert ended.stdout == f"fidtune {version('fidtune')}\n"


def test_without_a_command_help_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["study"])
    with pytest.raises(SystemExit):
        cli.main()
    output = capsys.readouterr()
    assert "Usage: study" in output.out + output.err


@pytest.mark.parametrize("name", ["", *COMMANDS])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_each_command_has_help(name: str, option: str) -> None:
    result = CliRunner().invoke(cli.app, [*filter(None, [name]), option])
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize(
    "name", ["recipes", "check", "best", "query", "explain", "rescore", "score", "trust"]
)
def test_commands_that_read_print_json(name: str) -> None:
    shown = CliRunner().invoke(cli.app, [name, "--help"], env={"COLUMNS": "200"}).stdout
    (line,) = [line for line in shown.splitlines() if "--format" in line]
    assert "json" in line


@pytest.mark.parametrize(
    "name", ["run", "resume", "submit", "explain", "rescore", "score", "trust"]
)
def test_commands_that_chat_can_be_quiet(name: str) -> None:
    assert {"--quiet", "-q"} <= options(name)


def complete(words: str, **environment: str) -> list[str]:
    """What the shell offers for the last of these words."""
    completion = {
        "_STUDY_COMPLETE": "complete_bash",
        "COMP_WORDS": f"study {words}",
        "COMP_CWORD": str(len(f"study {words}".split(" ")) - 1),
    }
    ended = CliRunner().invoke(cli.app, [], env={**completion, **environment}, prog_name="study")
    return ended.stdout.split()


def test_the_shell_completes_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    storage = Storage.from_uri(str(tmp_path / "studies"))
    for name in ("digits-1", "digits-2", "cats"):
        storage.claim(name, "")
    (tmp_path / "quick.yaml").write_text("")
    (tmp_path / "quick.png").write_text("")
    (tmp_path / "quicker").mkdir()
    assert {"recipes", "run", "resume", "rescore"} <= {*complete("r")}
    for command in ("best", "status", "explain", "sample", "rescore", "resume"):
        assert complete(f"{command} dig") == ["digits-1", "digits-2"]
    assert complete("best c", STUDY_STORAGE="nowhere") == []
    assert complete(f"best --storage {tmp_path / 'studies'} c", STUDY_STORAGE="x") == ["cats"]
    for command in ("run", "check"):
        assert complete(f"{command} quick") == ["quick.yaml", "quicker/", "quickstart"]
    assert complete("recipes 004") == ["004_schedules"]


def test_completion_can_be_installed() -> None:
    assert "--install-completion" in CliRunner().invoke(cli.app, ["--help"]).stdout


def test_commands_that_are_shown_can_be_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script = tmp_path / ".venv" / "bin" / "study"
    script.parent.mkdir(parents=True)
    script.touch(mode=0o755)
    monkeypatch.setattr(sys, "argv", [str(script), "best"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == ".venv/bin/study"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program() == "study"
    monkeypatch.setattr(sys, "argv", ["/x/study/__main__.py"])
    assert program() == "study"
    monkeypatch.setenv("PATH", "/nowhere")
    assert program() == "python -m study"
