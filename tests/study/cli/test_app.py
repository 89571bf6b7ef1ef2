from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.main import get_command

from study import cli

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
