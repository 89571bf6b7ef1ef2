"""Reading YAML as people mean it: 1e-4 is a number, a repeated key is a mistake, lines are known.

PyYAML follows YAML 1.1, in which `1e-4` is a string and `no` is false, and it silently keeps the
last of two equal keys. Study files are full of learning rates, so the scalars here follow the core
schema of YAML 1.2 (section 10.3.2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from study.spec.errors import UserError

TreePath = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed file: its plain tree, and the line (from 1) on which each path stands."""

    source: str
    tree: Any
    lines: dict[TreePath, int]

    def where(self, path: TreePath) -> str:
        """`file:line` of the path, or of the nearest enclosing path that the file holds."""
        while path and path not in self.lines:
            path = path[:-1]
        line = self.lines.get(path)
        return self.source if line is None else f"{self.source}:{line}"


class _Loader(yaml.SafeLoader):
    """SafeLoader with the scalars of YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes what either version of YAML would read as something else."""


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN"),
    ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+0123456789."),
    ("float", r"^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$", "-+."),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}",
            re.compile(_pattern),
            [*_first, ""] if _tag == "null" else [*_first],
        )


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    # PyYAML reads 010 as octal; YAML 1.2 reads ten, and writes octal 0o10.
    text = loader.construct_scalar(node)
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def parse_scalar(text: str) -> Any:
    """Parse a value given on the command line by the rules of the file (`--set a.b=1e-4`).

    Raises:
        UserError: The text is not valid YAML.
    """
    return parse_yaml(text, source="the value").tree


def dump_yaml(tree: Any) -> str:
    """Write a plain tree so that `parse_yaml` reads it again, keys in their order."""
    return str(yaml.dump(tree, Dumper=_Dumper, sort_keys=False))


def read_yaml(path: Path) -> Document:
    """Read a YAML file.

    Raises:
        UserError: The file is missing, unreadable, not UTF-8, or not valid YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, source: str) -> Document:
    """Parse one YAML document; `source` names it in errors."""
    lines: dict[TreePath, int] = {}
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        tree = None if node is None else _build(loader, node, (), lines, source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source if mark is None else f"{source}:{mark.line + 1}"
        problem = ", ".join(text for text in (error.context, error.problem) if text)
        raise UserError(f"{where}: broken YAML: {problem}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{source}: broken YAML: {error}") from None
    except RecursionError:
        raise UserError(f"{source}: broken YAML: nested too deeply, or within itself") from None
    finally:
        if loader is not None:
            loader.dispose()
    return Document(source, tree, lines)


def _build(
    loader: _Loader, node: yaml.Node, path: TreePath, lines: dict[TreePath, int], source: str
) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = loader.construct_object(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise UserError(f"{source}:{line}: the key {key!r} must be a name")
            if key in mapping:
                raise UserError(f"{source}:{line}: the key `{key}` stands here twice")
            lines[(*path, key)] = line
            mapping[key] = _build(loader, value_node, (*path, key), lines, source)
        return mapping
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(loader, item, (*path, index), lines, source)
            for index, item in enumerate(node.value)
        ]
    try:
        return loader.construct_object(node)
    except ValueError as error:  # a tag that its text does not fit, as in `!!int many`
        raise UserError(f"{source}:{node.start_mark.line + 1}: broken YAML: {error}") from None
