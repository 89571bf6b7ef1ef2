from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from study import cli


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
