"""Sections that come in kinds, and the short form of one: `loss: l1` for `loss: {kind: l1}`."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from study.spec.names import nearest


@dataclass(frozen=True)
class ShortForm:
    """Stands beside `Field(discriminator="kind")` in the annotation of a union of sections.

    Args:
        what: What the kinds are kinds of, for errors.
    """

    what: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """The union's schema, after a name has been spelled out."""
        known = kinds(source)

        def spell_out(value: Any) -> Any:
            if not isinstance(value, str):
                return value
            if value not in known:
                raise ValueError(
                    f"unknown {self.what} '{value}': "
                    f"known are {', '.join(known)}{nearest(value, known)}"
                )
            return {"kind": value}

        return core_schema.no_info_before_validator_function(
            spell_out,
            handler(source),
            metadata={"pydantic_js_functions": [_or_a_name(self._names(source))]},
        )

    @staticmethod
    def _names(source: Any) -> list[str]:
        """The kinds whose other keys all have defaults, so that the name is enough."""
        return [
            kind
            for kind, section in kinds(source).items()
            if not any(f.is_required() for k, f in section.model_fields.items() if k != "kind")
        ]


def kinds(union: Any) -> Mapping[str, type[BaseModel]]:
    """The sections of a union by their kind."""
    if typing.get_origin(union) is typing.Annotated:
        union = typing.get_args(union)[0]
    return {
        typing.get_args(section.model_fields["kind"].annotation)[0]: section
        for section in typing.get_args(union) or (union,)
    }


def _or_a_name(names: list[str]) -> Any:
    def write(schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"enum": names}, handler(schema)]}

    return write
