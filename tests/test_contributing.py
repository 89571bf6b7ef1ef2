"""CONTRIBUTING.md names files that exist, and no answer needs more than four source files."""

from __future__ import annotations

import re

import pytest
from paths import ROOT

SECTIONS = (ROOT / "CONTRIBUTING.md").read_text().split("\n## ")[1:]
PATH = re.compile(r"`((?:study|models|search_spaces|tests|docs)/[\w/.]*)`")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.partition("\n")[0])
def test_an_answer_names_files_that_exist(section: str) -> None:
    paths = PATH.findall(section)
    for path in paths:
        assert (ROOT / path).exists(), path
    sources = {path for path in paths if not path.startswith("tests/") and path.endswith(".py")}
    # A folder stands for the new module that goes there.
    modules = {path for path in paths if path.endswith("/")}
    assert 0 < len(sources | modules) <= 4
    assert any(path.startswith("tests/") for path in paths)
