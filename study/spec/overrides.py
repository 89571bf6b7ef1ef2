"""Overrides: `--set PATH=VALUE` on the command line."""

from __future__ import annotations

from typing import Any

from study.spec.errors import UserError
from study.spec.yaml_file import TreePath, parse_scalar


def parse_override(text: str) -> tuple[TreePath, Any, str]:
    """The path, the value (which may be a hole), and how to name the override in errors.

    Raises:
        UserError: It is not written PATH=VALUE, or the value is no YAML.
    """
    dotted, equals, value = text.partition("=")
    source = f"--set {text}"
    steps = dotted.strip().split(".")
    if not equals or not all(steps):
        raise UserError(f"{source}: an override is written PATH=VALUE, as in train.epochs=5")
    path = tuple(int(step) if step.isdecimal() else step for step in steps)
    try:
        return path, parse_scalar(value), source
    except UserError as error:
        raise UserError(f"{source}: {error}") from None


def apply_override(tree: Any, path: TreePath, value: Any, source: str) -> None:
    """Put a value at a path of a tree, making the sections on the way that are not there.

    Raises:
        UserError: The tree has no such place; `source` names the override.
    """
    node = tree
    for position, step in enumerate(path):
        last = position == len(path) - 1
        so_far = ".".join(map(str, path[:position]))
        if isinstance(node, list):
            if not isinstance(step, int) or step >= len(node):
                raise UserError(
                    f"{source}: {so_far} is a list of {len(node)}; `{step}` is no place in it"
                )
        elif isinstance(node, dict):
            if isinstance(step, int):
                raise UserError(f"{source}: {so_far or 'the study'} has keys, and `{step}` is none")
            if "choice" in node and step != "choice":
                raise UserError(
                    f"{source}: {so_far} is a choice: replace it whole, or name an option as "
                    f"{so_far}.choice.0"
                )
            if not last:
                node.setdefault(step, {})
        else:
            shown = "null" if node is None else repr(node)
            raise UserError(f"{source}: {so_far} is {shown} and has no `{step}` inside")
        if last:
            node[step] = value
        else:
            node = node[step]
