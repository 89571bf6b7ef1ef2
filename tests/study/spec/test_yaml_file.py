from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from study_trees import quickly

from study.spec.errors import UserError
from study.spec.yaml_file import dump_yaml, parse_scalar, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4),
        ("1.0e-4", 1e-4),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-3", -3),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("true", True),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-22", "2026-11-22"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'1'", "1"),
        ("[1, a]", [1, "a"]),
        ("{float: [1e-5, 1e-2], log: true}", {"float": [1e-5, 1e-2], "log": True}),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    found = parse_scalar(text)
    assert found == value
    assert type(found) is type(value)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text("abcdefgh0123456789 .:-_#'\"{}[],&*!|>%@`~é\n", max_size=12)
)
trees = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=4) | st.dictionaries(st.text("abcyno", min_size=1), below)
    ),
    max_leaves=12,
)


@quickly
@given(trees)
def test_what_is_written_is_read_back(tree: Any) -> None:
    assert parse_yaml(dump_yaml(tree), "file").tree == tree


def test_every_path_knows_its_line() -> None:
    document = parse_yaml("a: 1\nb:\n  c: {d: [1,\n    2]}\n", "file.yaml")
    assert document.where(("a",)) == "file.yaml:1"
    assert document.where(("b",)) == "file.yaml:2"
    assert document.where(("b", "c", "d", 1)) == "file.yaml:4"
    assert document.where(("b", "c", "missing")) == "file.yaml:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\n", "file:3: broken YAML"),
        ("a: 1\n  b: 2\n", "file:2: broken YAML"),
        ("a: 1\na: 2\n", "file:2: the key `a` stands here twice"),
        ("a: {b: 1, b: 2}\n", "file:1: the key `b` stands here twice"),
        ("5: 1\n", "file:1: the key 5 must be a name"),
        ("[1]: 1\n", "must be a name"),
        ("a: *nobody\n", "file:1: broken YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "file:2: broken YAML: expected a single document in the stream, but"),
        ("\na: !!int many\n", "file:2: broken YAML"),
        ("a: !!python/name:os.system x\n", "file:1: broken YAML: could not determine"),
        ("a: \x00\n", "broken YAML"),
        ("a: &x [*x]\n", "within itself"),
        ("a: &x {b: *x}\n", "within itself"),
        ("a: &x {<<: *x}\n", "within itself"),
        ("a: &x {<<: [*x, *x]}\n", "within itself"),
        ("a: &x {b: {<<: *x}}\n", "within itself"),
        ("? &x [*x]\n: 1\n", "file:1: a list or a section is no key"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  <<: *x\n", "file:4: `<<` stands here twice: several"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n  d: 1\n  d: 2\n", "file:5: the key `d` stands here twice"),
        ("a: &x {b: 1, b: 2}\nc: {<<: *x}\n", "file:1: the key `b` stands here twice"),
        ("a: 1\nc:\n  <<: 3\n", "file:3: `<<` merges sections: it is written <<: *one or"),
        ("a: &x {b: 1}\nc:\n  <<: [*x, 3]\n", "file:3: `<<` merges sections"),
        ("a: &x [1]\nc:\n  <<: *x\n", "`<<` merges sections"),
        ("c:\n  <<:\n", "`<<` merges sections"),
        ("[" * 600, "nested too deeply"),
    ],
)
def test_broken_yaml_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_yaml(text, "file")
    assert message in str(caught.value)
    assert str(caught.value).startswith("file:")
    assert "\n" not in str(caught.value)


@quickly
@given(st.text("ab:-[]{},#&*!|>'\"%@`? \n\t0", max_size=30))
def test_any_text_is_a_tree_or_one_line(text: str) -> None:
    message = ""
    try:
        parse_yaml(text, "file")
    except UserError as error:
        message = str(error)
    assert "\n" not in message


MERGED = """\
one: &one
  kind: linear
  rate: 1
other: &other {rate: 2, steps: [1, 2]}
own: {rate: 3, <<: *one}
several:
  <<: [*one, *other]
  more: true
chain: &chain {<<: *other, rate: 4}
chained: {<<: *chain}
written: {<<: {a: 1}, b: 2}
named: {"<<": 5}
"""


def test_merge_keys_are_those_of_yaml_1_1() -> None:
    document = parse_yaml(MERGED, "file")
    tree = document.tree
    assert tree["own"] == {"kind": "linear", "rate": 3}
    assert tree["several"] == {"kind": "linear", "rate": 1, "steps": [1, 2], "more": True}
    assert tree["chained"] == {"rate": 4, "steps": [1, 2]}
    assert tree["written"] == {"a": 1, "b": 2}
    assert tree["named"] == {"<<": 5}
    assert tree == yaml.safe_load(MERGED)
    assert parse_yaml(dump_yaml(tree), "file").tree == tree
    assert parse_yaml("value: <<\n", "file").tree == {"value": "<<"}


def test_what_is_merged_has_the_lines_on_which_it_is_written() -> None:
    document = parse_yaml(MERGED, "file")
    assert document.where(("several", "rate")) == "file:3"
    assert document.where(("several", "steps", 1)) == "file:4"
    assert document.where(("several", "more")) == "file:8"
    assert document.where(("own", "rate")) == "file:5"


def test_an_alias_stands_for_a_value_of_its_own() -> None:
    document = parse_yaml("a: &x {float: [1, 2]}\nb: *x\nc: {<<: *x, log: true}\n", "file")
    assert document.tree["b"] == {"float": [1, 2]}
    assert document.tree["c"] == {"float": [1, 2], "log": True}
    document.tree["a"]["float"][0] = 5  # as an override does
    assert document.tree["b"] == {"float": [1, 2]}
    assert document.tree["c"]["float"] == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        # each line stands for ten of the one before
        "a0: &a0 [1]\n"
        + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)),
        "a0: &a0 {k: 1}\n"
        + "".join(
            f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 12)
        ),
    ],
    ids=["lists", "merges"],
)
def test_aliases_that_stand_for_billions_of_values_are_one_line(text: str) -> None:
    with pytest.raises(UserError, match="with its aliases the file holds more than 20,000 values"):
        parse_yaml(text, "file")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.yaml: no such file"):
        read_yaml(tmp_path / "nowhere.yaml")
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not a text file in UTF-8"):
        read_yaml(tmp_path / "binary")
