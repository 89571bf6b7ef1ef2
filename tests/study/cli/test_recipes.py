from __future__ import annotations

import json

import pytest
from paths import SEARCH_SPACES
from typer.testing import CliRunner

from study.cli import app
from study.spec.errors import UserError
from study.spec.recipes import recipes


def call(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["recipes", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize("columns", ["50", "80", "200"])
def test_all_are_listed_with_their_needs(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    shown = call()
    assert max(map(len, shown.splitlines())) <= int(columns)
    words = " ".join(shown.split())
    for recipe in recipes():
        assert f"{recipe.name} " in words
        for variant in recipe.variants:
            assert variant in words
    assert "your pictures in ./data/cats" in words
    assert "mnist5k (included)" in words


def test_json() -> None:
    shown = json.loads(call("--format", "json"))
    assert [recipe["name"] for recipe in shown] == [p.stem for p in sorted(SEARCH_SPACES.iterdir())]
    (cats,) = [recipe for recipe in shown if recipe["name"] == "002_cats"]
    assert (cats["data"], cats["variants"], cats["smoke"]) == (
        ["./data/cats"],
        ["sobel", "laplacian"],
        True,
    )
    assert json.loads(call("cats", "--format", "json"))["text"] == call("cats")


def test_a_name_prints_the_file() -> None:
    text = (SEARCH_SPACES / "004_schedules.yaml").read_text()
    assert call("004_schedules") == call("schedules") == text


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UserError, match=r"no recipe 'quikstart': .*; did you mean `quickstart`\?"):
        call("quikstart")
