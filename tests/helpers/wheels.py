"""The wheel, built from a copy of the checkout, and unpacked as pip would."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from paths import ROOT

SOURCES = (
    "pyproject.toml",
    "setup.py",
    "README.md",
    "LICENSE",
    "study",
    "models",
    "search_spaces",
    "fidtune.py",
)


def build_wheel(folder: Path) -> Path:
    """Build the wheel in a folder; a copy of the sources keeps the checkout clean."""
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--wheel-dir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def unpack_wheel(wheel: Path, folder: Path) -> Path:
    """Unpack a wheel into a folder, which then is what site-packages would be."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
