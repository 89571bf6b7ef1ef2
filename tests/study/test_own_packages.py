"""`models` is ours wherever `study` is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from study.own_packages import HOME, hides_us

ROOT = str(HOME)

ENVIRONMENT = {"PYTHONPATH": ROOT, "PATH": "/usr/bin:/bin"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of a user with packages of our names."""
    for package in ("models", "study"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("mine = True\n", encoding="utf-8")
    return tmp_path


def python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a folder that comes first in `sys.path`."""
    program = f"import sys\nsys.path.insert(0, {str(folder)!r})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
    )


def test_ours_is_imported_though_another_comes_first(folder: Path) -> None:
    (folder / "study" / "__init__.py").unlink()
    (folder / "study").rmdir()
    ended = python(folder, "import study, models.seeding\nprint(models.__file__)")
    assert ended.stdout.strip() == str(Path(ROOT) / "models" / "__init__.py"), ended.stderr


def test_by_its_own_name_fidtune_is_ours_in_any_folder(folder: Path) -> None:
    code = "import fidtune, study\nprint(fidtune.Study.__module__, study.__file__)"
    ended = python(folder, code)
    ours = str(Path(ROOT) / "study" / "__init__.py")
    assert ended.stdout.split() == ["study.api", ours], ended.stderr


def test_another_that_was_imported_before_is_named(folder: Path) -> None:
    ended = python(folder, "import models\nimport fidtune")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"ImportError: the package `models` of {folder / 'models' / '__init__.py'} is loaded, but "
        "fidtune has one of that name: give yours another name"
    )


def test_a_folder_hides_ours_if_it_has_a_study_that_is_not_ours(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert hides_us(str(folder))
    assert not hides_us(ROOT)
    empty = tmp_path_factory.mktemp("empty")
    assert not hides_us(str(empty))
    (empty / "study.py").touch()
    assert hides_us(str(empty))
