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
    **given: Any,
) -> T:
    """Call the function of that name with `options` and `given`.

    Args:
        table: The functions by name.
        name: Which one.
        options: Checked against the function's own signature.
        name_path: Where a person wrote the name, for errors.
        path: Where a person wrote the options, for errors.
        given: Arguments that are not theirs to give.

    Raises:
        ValueError: If the name or an option is unknown, or an option without a default is missing.
    """
    if name not in table:
        known = ", ".join(table)
        raise ValueError(f"The value of `{name_path}` is {name!r}, but must be one of {known}")
    parameters = inspect.signature(table[name]).parameters
    theirs = {key: parameters[key] for key in parameters if key not in given}
    for key in options:
        if key not in theirs:
            known = ", ".join(theirs) or "none"
            raise ValueError(f"`{path}.{key}` is unknown: the options of {name!r} are {known}")
    for key, parameter in theirs.items():
        if key not in options and parameter.default is inspect.Parameter.empty:
            raise ValueError(f"`{path}.{key}` is missing: {name!r} has no default for it")
    return table[name](**given, **options)
