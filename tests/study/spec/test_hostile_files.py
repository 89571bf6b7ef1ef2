"""Whatever a study file holds: it is read, or refused in one line that is not long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_trees import TEXT

from study.spec import UserError, read_study_file
from study.spec.errors import MOST_CHARACTERS
from study.spec.holes import HoleError
from study.spec.space import MOST_BRANCHES, Space

LAUGHS = "\n".join(["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"] + [
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)
])  # fmt: skip


def with_line(line: str) -> str:
    """The good file with a line more."""
    return f"{TEXT}{line}\n"


def with_rate(rate: str) -> str:
    """The good file with another learning rate."""
    before, mark, _ = TEXT.partition("learning_rate: ")
    return f"{before}{mark}{rate}\n"


HOSTILE = {
    "aliases of aliases": (LAUGHS, "with its aliases the file holds more than"),
    "a file of megabytes": ("name: a\n" + "# much\n" * 700_000, "at most 200,000 characters"),
    "a number of 5,000 digits in hex": (with_line("x: 0x" + "f" * 5000), "more than 40 digits"),
    "a number of 5,000 digits": (with_line("x: 1" + "0" * 5000), "more than 40 digits"),
    "a truth that is none": (with_line("x: !!bool x"), "this is no tag:yaml.org,2002:bool"),
    "a moment that is none": (with_line("x: !!timestamp x"), "this is no tag:yaml.org,2002:times"),
    "bytes that are none": (with_line("x: !!binary é"), "broken YAML"),
    "a long value": (with_line(f"x: {'y' * 9000}"), "unknown key"),
    "a long key": (with_line(f"{'y' * 900}: 1"), "unknown key"),
    "options by the thousand": (
        with_rate(f"{{choice: [{', '.join(f'0.{n:05d}' for n in range(1, 9000))}]}}"),
        "a choice has at most 1,000 options, this one has 8,999",
    ),
    "within itself": (with_line("x: &x [*x]"), "nested too deeply, or within itself"),
    "nested": (with_line(f"x: {'[' * 1200}"), ""),
    "a null byte": (with_line("x: '\0'"), "broken YAML"),
}


def read(folder: Path, text: str) -> str:
    """What is said of a file; empty if it is read."""
    file = folder / "hostile.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        read_study_file(file)
    except UserError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_in_one_line(kind: str, tmp_path: Path) -> None:
    text, rule = HOSTILE[kind]
    line = read(tmp_path, text)
    assert line.startswith(str(tmp_path / "hostile.yaml"))
    assert rule in line
    assert "\n" not in line
    assert len(line) <= MOST_CHARACTERS


WORDS = [
    "{",
    "}",
    "[",
    "]",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<",
    "!!int ",
    "|",
    "\n",
    "  ",
    "\t",
    "'",
    "%",
]
VALUES = ["choice", "float", "int", "kind", "null", "-1", "1e999", ".nan", "[]", "{}", "~", "ddpm"]


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_with_chance_changes_is_read_or_refused_in_one_line(
    tmp_path: Path, data: st.DataObject
) -> None:
    text = TEXT
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        removed = data.draw(st.integers(0, 12))
        piece = data.draw(st.sampled_from([*WORDS, *VALUES, ""]) | st.text(max_size=6))
        text = text[:place] + piece + text[place + removed :]
    line = read(tmp_path, text)
    assert "\n" not in line
    assert len(line) <= MOST_CHARACTERS


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300))
def test_a_file_of_bytes_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bytes.yaml"
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_study_file(file)
    assert "\n" not in str(caught.value)


def test_what_is_tried_before_a_study_starts_grows_as_the_options_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("study.spec.space.MOST_CORNERS", 100)

    def corners(options: int) -> int:
        branch = [{"kind": f"k{n}", "x": {"float": [0, 1]}} for n in range(options)]
        plain = {"choice": [*range(options)]}
        return sum(1 for _ in Space({"a": {"choice": branch}, "b": plain}).corners())

    assert corners(5) == 5 * 2 + 5 * (2 + 5)  # ends of branches; every dimension in every branch
    assert corners(40) == 40 * 2 + 40 * 2 + 40


def test_too_many_branches_are_refused() -> None:
    fork = {"choice": [{"kind": f"k{n}"} for n in range(40)]}
    space = Space({"a": fork, "b": fork})
    with pytest.raises(HoleError, match=f"more than {MOST_BRANCHES} ways through the choices"):
        [*space.corners()]
