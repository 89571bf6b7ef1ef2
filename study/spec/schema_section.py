"""The schema of one section or key of a study file, with all that it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.spec.errors import UserError
from study.spec.holes import DISCRIMINATORS
from study.spec.names import nearest
from study.spec.schema import REF, reached_definitions, study_schema

Schema = dict[str, Any]


def section_schema(path: str) -> Schema:
    """The schema of what may stand at a path: `train`, `train.optimizer`, `model.schedule.cosine`.

    Where a section comes in kinds, a step may be a key of any of them, or the name of a kind.

    Args:
        path: Keys of a study file, joined by dots.

    Raises:
        UserError: There is no such place.
    """
    whole = study_schema()
    definitions: dict[str, Schema] = whole["$defs"]
    places = [{key: value for key, value in whole.items() if key != "$defs"}]
    steps = path.split(".")
    for position, step in enumerate(steps):
        sections = [each for place in places for each in _sections(place, definitions)]
        known = dict.fromkeys(name for each in sections for name in [*_keys(each), *_kinds(each)])
        places = _distinct(
            [
                *(each["properties"][step] for each in sections if step in _keys(each)),
                *(each for each in sections if step in _kinds(each)),
            ]
        )
        if not places:
            above = ".".join(steps[:position])
            if not known:
                raise UserError(f"{path}: {above} is a value, and has no `{step}` inside")
            hint = nearest(step, known) or f"; known are {', '.join(known)}"
            where = f"in `{above}`" if above else "in a study file"
            raise UserError(f"{path}: there is no `{step}` {where}{hint}")
    section = places[0] if len(places) == 1 else {"anyOf": places}
    reached = reached_definitions(section, definitions)
    return {
        "$schema": whole["$schema"],
        **section,
        "title": path,
        **({"$defs": {name: definitions[name] for name in reached}} if reached else {}),
    }


def _sections(schema: Schema, definitions: dict[str, Schema]) -> Iterator[Schema]:
    """The sections that may stand at a place: mappings with keys of their own, and no holes."""
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix(REF)
        if not name.endswith("Hole"):
            yield from _sections(definitions[name], definitions)
        return
    for alternatives in ("anyOf", "oneOf"):
        for option in schema.get(alternatives, ()):
            yield from _sections(option, definitions)
    if "items" in schema:
        yield from _sections(schema["items"], definitions)
    if "properties" in schema and "choice" not in schema["properties"]:
        yield schema


def _keys(section: Schema) -> list[str]:
    return [*section["properties"]]


def _kinds(section: Schema) -> list[str]:
    """The names of a section that is one of several kinds."""
    values = (section["properties"].get(key, {}) for key in DISCRIMINATORS)
    return [value["const"] for value in values if isinstance(value.get("const"), str)]


def _distinct(schemas: list[Schema]) -> list[Schema]:
    return [schema for index, schema in enumerate(schemas) if schema not in schemas[:index]]
