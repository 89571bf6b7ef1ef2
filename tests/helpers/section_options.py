"""Whether the keys of a section are the options of what it is given to."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Container
from typing import Any

from pydantic import BaseModel

FILLED = {"timesteps", "image_shape", "towards", "out_channels", "latent", "parameters"}
"""Arguments that come from elsewhere than the section of the thing they are given to."""


def literal(section: type[BaseModel], key: str) -> tuple[str, ...]:
    return typing.get_args(section.model_fields[key].annotation)


def default(section: type[BaseModel], key: str) -> Any:
    """What stands in a spec where the file says nothing, JSON-ready; a name for its short form."""
    field = section.model_fields[key]
    value = field.get_default(call_default_factory=True)
    kind = getattr(value, "kind", None)
    if kind is not None and value == type(value).model_validate({"kind": kind}):
        return kind
    return value


def same_options(
    section: type[BaseModel], function: Callable[..., Any], given: Container[str] = FILLED
) -> None:
    """Every key of the section is an option of the function, with an equal default."""
    parameters = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    }
    keys = {key for key in section.model_fields if key not in ("kind", "family")}
    required = {
        name
        for name, parameter in parameters.items()
        if parameter.default is inspect.Parameter.empty and name not in given
    }
    assert required <= keys <= set(parameters)
    for key in keys:
        if not section.model_fields[key].is_required():
            found = parameters[key].default
            if found is not inspect.Parameter.empty:
                assert default(section, key) == found, key
