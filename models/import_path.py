"""Classes that a person names by import path."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def make_object(path: str, where: str, *arguments: Any, **options: Any) -> Any:
    """Call what `package.module:Name` names.

    Args:
        path: The import path.
        where: Where a person wrote it, for errors.
        arguments: What it is called with.
        options: The options that a person wrote.

    Raises:
        ValueError: As `load_object`, or if it does not take these arguments.
    """
    make = load_object(path, where)
    try:
        return make(*arguments, **options)
    except Exception as error:  # whatever the user's code raises
        reason = str(error) if isinstance(error, TypeError | ValueError) else _named(error)
        raise ValueError(f"`{where}`, {path!r}, cannot be made: {reason}") from error


def load_object(path: str, where: str) -> Callable[..., Any]:
    """What `package.module:Name` names.

    Args:
        path: The import path.
        where: Where a person wrote it, for errors.

    Raises:
        ValueError: If it is not of that form, cannot be imported, or is not callable.
    """
    module_name, colon, name = path.partition(":")
    if not colon or not module_name or not name:
        raise ValueError(f"The value of `{where}` is {path!r}, but must be package.module:Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        package = __name__.partition(".")[0]
        hidden = module_name.partition(".")[0] == package and (error.name or "").startswith(package)
        reason = f"`{package}` is fidtune's own package here: give yours another name"
        raise ValueError(
            f"The value of `{where}` is {path!r}, but {reason if hidden else error}"
        ) from error
    except (ImportError, SyntaxError) as error:
        raise ValueError(f"The value of `{where}` is {path!r}, but {error}") from error
    except Exception as error:  # whatever the user's code raises
        raise ValueError(
            f"The value of `{where}` is {path!r}, whose import fails: {_named(error)}"
        ) from error
    target = getattr(module, name, None)
    if not callable(target):
        raise ValueError(
            f"The value of `{where}` is {path!r}, but `{module_name}` has no class `{name}`"
        )
    return target  # type: ignore[no-any-return]


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
