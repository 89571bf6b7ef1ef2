"""What needs no cluster runs where ray is not installed: here its import is blocked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from paths import HELPERS, ROOT
from specs import plain
from trained_trials import trained

from study.results.storage import Storage

pytestmark = pytest.mark.slow

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ray":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
CALL = BLOCKED + "sys.argv = ['study', *sys.argv[1:]]\nfrom study.cli import main\nmain()\n"
RUN = (
    BLOCKED
    + "import runpy\nsys.argv = sys.argv[1:]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a trained trial, and its file."""
    folder = tmp_path_factory.mktemp("without_ray")
    storage = Storage.from_uri(str(folder / "studies"))
    text = yaml.safe_dump(plain())
    storage.claim("small", text)
    trained(storage, 0)
    (folder / "small.yaml").write_text(text)
    return folder


def python(program: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    places = os.pathsep.join([str(ROOT), str(HELPERS), str(ROOT / "benchmarks")])
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": places, "STUDY_STORAGE": "./studies"},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "small.yaml"],
        ["list"],
        ["best", "small"],
        ["query", "select count(*) from trials"],
        ["sample", "small", "0", "-n", "4", "-o", "grid.png"],
        ["explain", "small", "0", "--only", "samples", "--samples", "50"],
        ["explain", "small", "0", "--beside", "0"],
        ["rescore", "small", "--steps", "3", "--samples", "16"],
        ["score", "digits:train", "--against", "digits", "--embedder", "pixels", "--cache", "c"],
        ["trust", "digits", "--embedder", "pixels", "--samples", "20", "--cache", "c"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_command_runs(folder: Path, arguments: list[str]) -> None:
    ended = python(CALL, folder, *arguments)
    assert "No module named" not in ended.stderr
    expected = 2 if "--beside" in arguments else 0  # a trial beside itself is a mistake
    assert ended.returncode == expected, ended.stderr


SMALL = ["--batches", "1", "--batch-size", "4", "--side", "8", "--samples", "4", "--steps", "1"]


@pytest.mark.parametrize(
    ("benchmark", "arguments"),
    [("training", ["--run", "ours", *SMALL]), ("scoring", ["--help"])],
    ids=["training", "scoring"],
)
def test_a_benchmark_of_models_or_scores_runs(
    folder: Path, benchmark: str, arguments: list[str]
) -> None:
    ended = python(RUN, folder, str(ROOT / "benchmarks" / f"{benchmark}.py"), *arguments)
    assert ended.returncode == 0, ended.stderr


def test_a_command_that_runs_trials_says_what_is_missing(folder: Path) -> None:
    ended = python(CALL, folder, "run", "small.yaml", "--name", "again")
    assert ended.returncode == 2
    assert ended.stderr == "study: this command needs ray, which is not installed\n"
    assert not (folder / "studies" / "again").exists()
