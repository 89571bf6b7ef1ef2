"""What is in the wheel, and works from there without a checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT, SEARCH_SPACES
from wheels import build_wheel, unpack_wheel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    return unpack_wheel(build_wheel(folder), folder / "installed")


def call(installed: Path, folder: Path, *arguments: str) -> str:
    """What `study` prints, run from the wheel in a folder without a checkout."""
    program = "import sys, study; assert study.__file__.startswith(sys.argv.pop(1)), study.__file__"
    program += "; from study.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    ended = subprocess.run(
        [sys.executable, "-c", program, str(installed), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def test_it_lists_and_reads_the_recipes(installed: Path, tmp_path: Path) -> None:
    shown = json.loads(call(installed, tmp_path, "recipes", "--format", "json"))
    files = sorted(SEARCH_SPACES.glob("*.yaml"))
    assert [recipe["name"] for recipe in shown] == [file.stem for file in files]
    for file in files:
        assert call(installed, tmp_path, "recipes", file.stem) == file.read_text()


def test_it_finds_a_recipe_by_its_name(installed: Path, tmp_path: Path) -> None:
    program = (
        "import sys, study; from study.spec import read_study_file;"
        "print(study.__file__, read_study_file('quickstart').study.name,"
        "study.Study.from_file('families', smoke=True).file.study.name)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    where, *names = ended.stdout.split()
    assert where == str(installed / "study" / "__init__.py")
    assert names == ["quickstart", "families-smoke"]


def test_it_holds_all_modules_and_no_other_names(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert tops == {"study", "models", "fidtune.py"}
    for package in ("study", "models"):
        files = {path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py")}
        assert files == {
            path.relative_to(installed) for path in (installed / package).rglob("*.py")
        }
        assert (installed / package / "py.typed").exists()
