"""Commands that read answer at once: they load neither torch nor ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT, SEARCH_SPACES
from PIL import Image
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
HEAVY = ("torch", "ray", "optuna", "sklearn", "matplotlib", "models", "pandas", "scipy")
LEDGER = ["--storage", str(ROOT / "tests" / "ledgers" / "0.1.0")]


def loaded(folder: Path, arguments: list[str], code: int = 0) -> set[str]:
    """The modules that a command has loaded when it ends, with this exit code."""
    program = (
        "import sys\n"
        "from study.cli import main\n"
        f"sys.argv = ['study', *{arguments!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        f"    assert (end.code or 0) == {code}, end.code\n"
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
        ["recipes"],
        ["recipes", "quickstart"],
        ["init", "my.yaml"],
        ["init", "my.yaml", "--data", "pictures"],
        ["list", *LEDGER],
        ["status", "early", *LEDGER],
        ["query", "select count(*) from trials", *LEDGER],
        ["query", "select count(*) from trials", "--storage", "studies"],
        ["schema"],
    ],
    ids=" ".join,
)
def test_commands_that_read_load_little(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "pictures").mkdir()
    for index in range(2):
        Image.new("L", (8, 8)).save(tmp_path / "pictures" / f"{index}.png")
    found = loaded(tmp_path, arguments)
    assert "study.cli" in found
    assert not found.intersection(HEAVY)


@pytest.mark.parametrize("command", ["list", "status early"])
def test_a_study_at_a_glance_takes_neither_duckdb_nor_the_study_files_models(
    tmp_path: Path, command: str
) -> None:
    modules = loaded(tmp_path, [*command.split(), *LEDGER])
    assert not modules.intersection({"duckdb", "study.spec.study", "rich.markdown"})


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_mistake_in_a_study_file_is_said_before_anything_is_loaded(
    tmp_path: Path, command: str
) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.replace("timesteps", "timestep"))
    modules = loaded(tmp_path, [command, "tiny.yaml"], code=2)
    assert "study.spec.study" in modules
    assert not modules.intersection({*HEAVY, "pyarrow", "duckdb", "numpy"})


def test_a_data_set_that_is_not_there_is_said_without_torch(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(TINY.replace("digits", "./nowhere"))
    assert not loaded(tmp_path, ["check", "tiny.yaml"], code=2).intersection(HEAVY)


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
