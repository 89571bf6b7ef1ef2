"""The installed wheel in a folder where a person has packages `models` and `study` of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from specs import plain
from wheels import build_wheel, unpack_wheel

pytestmark = pytest.mark.slow

NETWORK = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, image_shape):
        super().__init__()
        self.layer = nn.Conv2d(image_shape[0], image_shape[0], 3, padding=1)

    def forward(self, x, t):
        return self.layer(x)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be site-packages, with the console script beside it."""
    folder = tmp_path_factory.mktemp("wheel")
    unpack_wheel(build_wheel(folder), folder / "installed")
    (folder / "bin").mkdir()
    script = "import sys\nfrom study.cli import main\nsys.exit(main())\n"
    (folder / "bin" / "study").write_text(script)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a person works."""
    for package in ("models", "study"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("raise SystemExit('not ours')\n")
        (tmp_path / package / "my_net.py").write_text(NETWORK)
    (tmp_path / "my_nets.py").write_text(NETWORK)
    for path in ("my_nets:Net", "models.my_net:Net"):
        network = {"kind": "custom", "path": path}
        model = {"family": "ddpm", "timesteps": 10, "schedule": {"kind": "cosine"}}
        sections = {"model": {**model, "network": network}, "search": {"trials": 1}}
        name = path.partition(".")[0].partition(":")[0]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(plain(name=name, **sections)))
    return tmp_path


def python(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python where the wheel is installed, and no checkout is near."""
    environment = {**os.environ, "PYTHONPATH": str(installed / "installed"), "COLUMNS": "100"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_the_command_and_the_interface_are_ours(installed: Path, folder: Path) -> None:
    script = str(installed / "bin" / "study")
    for arguments in (
        [script, "--version"],
        ["-m", "fidtune", "--version"],
        ["-c", "import fidtune, models; print('fidtune', models.DDPM, fidtune.Study)"],
        ["-c", "import fidtune, study; assert fidtune.Study is study.Study; print('fidtune')"],
    ):
        ended = python(installed, folder, *arguments)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.startswith("fidtune")


def test_a_folder_models_alone_hides_nothing(installed: Path, folder: Path) -> None:
    (folder / "study" / "__init__.py").unlink()
    (folder / "study" / "my_net.py").unlink()
    (folder / "study").rmdir()
    for arguments in (
        ["-m", "study", "--version"],
        ["-c", "import study; from models import DDPM; print('fidtune')"],
    ):
        ended = python(installed, folder, *arguments)
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.startswith("fidtune")


def test_a_package_that_is_loaded_already_is_one_clear_error(installed: Path, folder: Path) -> None:
    (folder / "models" / "__init__.py").write_text("")
    ended = python(installed, folder, "-c", "import models, fidtune")
    assert ended.stderr.splitlines()[-1].startswith("ImportError: the package `models` of ")
    assert ended.stderr.splitlines()[-1].endswith("give yours another name")


def test_a_network_of_ones_own_is_reached_by_its_import_path(installed: Path, folder: Path) -> None:
    script = str(installed / "bin" / "study")
    ended = python(installed, folder, script, "run", "models.yaml")
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.endswith("`models` is fidtune's own package here: give yours another name")
    assert not (folder / "studies").exists()


@pytest.mark.ray
def test_it_runs_on_lanes(installed: Path, folder: Path) -> None:
    script = str(installed / "bin" / "study")
    ended = python(installed, folder, script, "run", "my_nets.yaml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    sql = "select state from trials"
    ended = python(installed, folder, script, "query", sql, "--format", "csv")
    assert ended.stdout.split() == ['"state"', '"complete"']
