"""Calling something by its name, with options that a person wrote."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def call_named(
    table: Mapping[str, Callable[..., T]],
    name: str,
    options: Mapping[str, Any],
    *,
    name_path: str,
    path: str,
    **fixed: Any,
) -> T:
    """Call the function of that name with `options` and `fixed`.

    Args:
        table: The functions by name.
        name: Which one.
        options: Checked against the function's own signature.
        name_path: Where a person wrote the name, for errors.
        path: Where a person wrote the options, for errors.
        fixed: Arguments that are no options: naming one of them is an error.

    Raises:
        ValueError: If the name or an option is unknown, or an option without a default is missing.
    """
    if name not in table:
        known = ", ".join(table)
        raise ValueError(f"The value of `{name_path}` is {name!r}, but must be one of {known}")
    parameters = inspect.signature(table[name]).parameters
    accepted = {key: parameters[key] for key in parameters if key not in fixed}
    for key in options:
        if key not in accepted:
            known = ", ".join(accepted) or "none"
            raise ValueError(f"`{path}.{key}` is unknown: the options of {name!r} are {known}")
    for key, parameter in accepted.items():
        if key not in options and parameter.default is inspect.Parameter.empty:
            raise ValueError(f"`{path}.{key}` is missing: {name!r} has no default for it")
    return table[name](**fixed, **options)


def short_form(value: str | Mapping[str, Any], path: str) -> tuple[str, dict[str, Any]]:
    """The kind and the options of `l1`, say, or of `{kind: huber, delta: 1.0}`.

    Args:
        value: A kind, or a mapping with a kind in it.
        path: Where a person wrote it, for errors.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(value, str):
        return value, {}
    if not isinstance(value, Mapping) or not isinstance(value.get("kind"), str):
        raise ValueError(f"The value of `{path}` is {value!r}, but must be a kind, or have one")
    return value["kind"], {key: option for key, option in value.items() if key != "kind"}
