"""`import study`, as one sees it in Python and in a notebook."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from ledger_rows import complete, write

import study
from study.api import open_study
from study.results.storage import Storage


def test_dir_shows_what_there_is_and_loads_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, study\n"
        "names = dir(study)\n"
        "assert set(study.__all__) <= set(names), names\n"
        "assert not {'annotations', 'Any', 'TYPE_CHECKING'} & set(names), names\n"
        "assert study.__version__\n"
        "heavy = {'torch', 'ray', 'pandas', 'duckdb', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_each_name_is_there() -> None:
    for name in study.__all__:
        assert getattr(study, name) is not None
    assert study.__version__ == version("fidtune")
    assert study.open is open_study
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        study.opne  # noqa: B018


def test_open_takes_the_newest_and_names_the_nearest(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path))
    for name in ("digits-1", "digits-2"):
        storage.claim(name, "")
        write(storage, name, complete(0, 1.0))
    assert study.open(storage=storage.uri).name == "digits-2"
    assert study.open("newest", storage=storage.uri).name == "digits-2"
    with pytest.raises(study.UserError, match="did you mean 'digits-2' or 'digits-1'"):
        study.open("digits", storage=storage.uri)


def test_a_study_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    quickstart = study.Study.from_file("quickstart")
    assert repr(quickstart) == "Study('quickstart', 9 dimensions, 12 trials)"
    html = quickstart._repr_html_()
    assert "<caption>Study(&#x27;quickstart&#x27;, 9 dimensions, 12 trials)</caption>" in html
    assert "train.learning_rate" in html


def test_scores_are_short(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (2, 60, 1, 8, 8), dtype=np.uint8))
    scores = study.score_images(
        images[0], images[1], embedder="pixels", metrics=["fd"], cache_folder=tmp_path
    )
    value = f"{scores['fd_pixels']:.5g}"
    assert repr(scores) == f"Scores(fd_pixels={value}; 60 images against 60)"
    html = scores._repr_html_()
    assert "<p>60 images against 60, embedder pixels</p><table>" in html
    assert f">{value}</td>" in html
