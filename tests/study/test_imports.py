"""Commands that read answer at once: they load neither torch nor ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from paths import SEARCH_SPACES
from typer.main import get_command

from study.cli import app

TINY = """\
name: tiny
data: {dataset: digits}
model:
  family: ddpm
  timesteps: 10
  schedule: {kind: cosine}
  network: {kind: unet, channels: [4]}
train: {epochs: 1, batch_size: 4, learning_rate: 1e-3}
score: {metric: fd_pixels, samples: 4, steps: 1}
search: {trials: 1}
"""
HEAVY = ("torch", "ray", "optuna", "sklearn", "matplotlib", "models")


def loaded(folder: Path, arguments: list[str]) -> set[str]:
    """The modules that a command has loaded when it ends."""
    program = (
        "import sys\n"
        "from study.cli import main\n"
        f"sys.argv = ['study', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        "print('loaded', *sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True
    )
    return {*done.stderr.splitlines()[-1].split()}


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([name, "--help"] for name in get_command(app).commands),  # type: ignore[attr-defined]
        ["list"],
        ["query", "select count(*) from trials", "--storage", "studies"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_commands_that_read_load_little(tmp_path: Path, arguments: list[str]) -> None:
    found = loaded(tmp_path, arguments)
    assert "study.cli" in found
    assert not found.intersection(HEAVY)


def test_a_study_file_is_read_without_torch_and_ray(tmp_path: Path) -> None:
    file = next(iter(SEARCH_SPACES.glob("*.yaml")))
    program = (
        "import sys\n"
        "from study.spec import read_study_file\n"
        f"read_study_file({str(file)!r})\n"
        "print(*sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert not {*done.stdout.split()}.intersection(HEAVY)


@pytest.mark.slow
def test_a_check_needs_no_ray_and_measures_in_processes_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY)
    found = loaded(tmp_path, ["check", "tiny.yaml"])
    assert "study.check.estimate" in found
    assert not found.intersection({"study.check.measurement", "ray"})
