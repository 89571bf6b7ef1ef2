"""Reading YAML as people mean it: 1e-4 is a number, a repeated key is a mistake, lines are known.

PyYAML follows YAML 1.1, in which `1e-4` is a string and `no` is false, and it silently keeps the
last of two equal keys. Study files are full of learning rates, so the scalars here follow the core
schema of YAML 1.2 (section 10.3.2). Of YAML 1.1 the merge key is kept (https://yaml.org/type/merge),
which people know from other tools: `{<<: *base, beta_end: 0.03}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from study.spec.errors import UserError

TreePath = tuple[str | int, ...]

MOST_CHARACTERS = 200_000
"""More than any study file has; a parser takes seconds for so many."""
MOST_VALUES = 20_000
"""More than any study file holds. Aliases of aliases can stand for billions in a few lines."""
MOST_DIGITS = 40
"""Of a whole number."""


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
    ("merge", r"^<<$", "<"),
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
    if len(text) > MOST_DIGITS:
        raise ValueError(f"a whole number of more than {MOST_DIGITS} digits")
    return int(text, 0 if text[:2] in ("0o", "0x") else 10)


def _construct_text(loader: _Loader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_MERGE = "tag:yaml.org,2002:merge"
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)
_Loader.add_constructor(_MERGE, _construct_text)  # as a value it merges nothing


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
        with path.open(encoding="utf-8") as file:
            text = file.read(MOST_CHARACTERS + 1)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file in UTF-8 ({error.reason})") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return parse_yaml(text, source=str(path))


def parse_yaml(text: str, source: str) -> Document:
    """Parse one YAML document; `source` names it in errors."""
    if len(text) > MOST_CHARACTERS:
        raise UserError(
            f"{source}: a study file has at most {MOST_CHARACTERS:,} characters, this one has more"
        )
    lines: dict[TreePath, int] = {}
    loader: _Loader | None = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        tree = None if node is None else _Builder(loader, lines, source).build(node, ())
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


class _Builder:
    """Makes the plain tree of a document's nodes, and notes the line of each path.

    Args:
        loader: Constructs the scalars.
        lines: Is filled with the line (from 1) of each path. What an alias stands for, or a merge
            brings, has the lines on which it is written.
        source: Names the document in errors.
    """

    def __init__(self, loader: _Loader, lines: dict[TreePath, int], source: str) -> None:
        self._loader = loader
        self._lines = lines
        self._source = source
        self._values = 0

    def build(self, node: yaml.Node, path: TreePath) -> Any:
        """The value of a node."""
        self._count(node)
        self._lines.setdefault(path, _line(node))
        if isinstance(node, yaml.MappingNode):
            mapping: dict[str, Any] = {}
            for key, key_node, value_node in self._entries(node):
                self._lines[(*path, key)] = _line(key_node)
                mapping[key] = self.build(value_node, (*path, key))
            return mapping
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self._loader.construct_object(node)
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            # A tag that its text does not fit, as in `!!int many`; PyYAML lets through what breaks.
            what = error if isinstance(error, ValueError) else f"this is no {node.tag}"
            raise self._error(node, f"broken YAML: {what}") from None

    def _entries(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Keys and values of a mapping, merged ones first: its own win, then those merged first."""
        own: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        merge: yaml.Node | None = None
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                if merge is not None:
                    raise self._error(
                        key_node, "`<<` stands here twice: several are written <<: [*one, *other]"
                    )
                merge = value_node
                continue
            key = self._key(key_node)
            if key in own:
                raise self._error(key_node, f"the key `{key}` stands here twice")
            own[key] = (key_node, value_node)
        entries = {} if merge is None else self._merged(merge)
        entries.update(own)
        for key, (key_node, value_node) in entries.items():
            yield key, key_node, value_node

    def _merged(self, node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """What `<<` brings: the entries of a mapping, or of several in a list."""
        several = node.value if isinstance(node, yaml.SequenceNode) else [node]
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for one in several:
            if not isinstance(one, yaml.MappingNode):
                raise self._error(
                    node, "`<<` merges sections: it is written <<: *one or <<: [*one, *other]"
                )
            self._count(one)
            for key, key_node, value_node in self._entries(one):
                entries.setdefault(key, (key_node, value_node))
        return entries

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise self._error(node, "a list or a section is no key: it must be a name")
        key = self._loader.construct_object(node)
        if not isinstance(key, str):
            raise self._error(node, f"the key {key!r} must be a name")
        return key

    def _count(self, node: yaml.Node) -> None:
        self._values += 1
        if self._values > MOST_VALUES:
            raise self._error(
                node, f"with its aliases the file holds more than {MOST_VALUES:,} values"
            )

    def _error(self, node: yaml.Node, rule: str) -> UserError:
        return UserError(f"{self._source}:{_line(node)}: {rule}")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
