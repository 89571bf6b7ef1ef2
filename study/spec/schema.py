"""JSON Schema of a study file, for editors: the plain study's, with holes where they may stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.spec.holes import DISCRIMINATORS
from study.spec.overlays import SMOKE, VARIANTS
from study.spec.schema_rules import RULES, VALUES, study_rules
from study.spec.searchable import SEARCHABLE
from study.spec.study import Study
from study.spec.weights import TAKEN

_NUMBER = {"type": "number"}
REF = "#/$defs/"
"""How a schema refers to its definitions."""

_PARTIAL = "Overlay"
_ABOUT = ("description", "default", "title")


def study_schema() -> dict[str, Any]:
    """The schema, as a JSON-ready mapping (draft 2020-12)."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    _add_values_and_rules(definitions)
    done: set[str] = set()
    for *above, key in SEARCHABLE:
        section = schema
        for step in above:
            section = definitions[_only_name(section["properties"][step])]
        value = section["properties"][key]
        for name in reached_definitions(value, definitions):
            properties = definitions[name]["properties"]
            for inner, plain in properties.items():
                if inner not in DISCRIMINATORS and name not in done:
                    properties[inner] = _with_hole(plain)
            done.add(name)
        section["properties"][key] = _with_hole(value)
    definitions["FloatHole"] = _range("float", _NUMBER)
    definitions["IntHole"] = _range("int", {"type": "integer"})
    _add_overlays(schema)
    # What is trained comes from a trained trial, or from the file.
    schema["allOf"] = [*study_rules(schema["required"])]
    schema["required"] = [key for key in schema["required"] if key not in TAKEN]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fidtune study file"
    return schema


def _add_values_and_rules(definitions: dict[str, Any]) -> None:
    """What sections check that their types do not say."""
    for section, values in VALUES.items():
        properties = definitions[section.__name__]["properties"]
        for key, value in values.items():
            properties[key] = {**_about(properties[key]), **value}
    for section, rules in RULES.items():
        definitions[section.__name__]["allOf"] = [*rules]


def _about(value: dict[str, Any]) -> dict[str, Any]:
    """What is said of a value for people."""
    return {key: text for key, text in value.items() if key in _ABOUT}


def _only_name(value: dict[str, Any]) -> str:
    """The definition that a section's key refers to."""
    return str(value["$ref"]).removeprefix(REF)


def reached_definitions(value: Any, definitions: dict[str, Any]) -> list[str]:
    """The definitions that a part of the schema refers to, and those that they refer to."""
    reached: list[str] = []
    waiting = [*_references(value)]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.append(name)
            waiting += _references(definitions[name])
    return reached


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield _only_name(node)
        for key, value in node.items():
            if not _is_tag_table(key, value):
                yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _with_hole(value: dict[str, Any]) -> dict[str, Any]:
    """A value, or a hole of its type in its place."""
    plain = {k: v for k, v in value.items() if k not in _ABOUT}
    listed = {
        "type": "array",
        "minItems": 1,
        "items": plain,
        # Two branches may be alike, two names or numbers may not.
        "if": {"items": {"not": {"type": "object"}}},
        "then": {"uniqueItems": True},
    }
    named = {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": "^[^.#]+$"},
        "additionalProperties": plain,
    }
    choice = {
        "type": "object",
        "properties": {"choice": {"anyOf": [listed, named]}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    options = [plain, choice]
    for number in (plain, *plain.get("anyOf", ())):
        bounds = {k: v for k, v in number.items() if k in _BOUNDS}
        # A whole number is a number, too.
        for kind in _HOLES_OF.get(str(number.get("type")), ()):
            options.append(_range_within(kind, bounds))
    return {"anyOf": options, **_about(value)}


_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_HOLES_OF = {"number": ("float", "int"), "integer": ("int",)}
_HOLE_NAMES = {"float": "FloatHole", "int": "IntHole"}


def _range_within(kind: str, bounds: dict[str, Any]) -> dict[str, Any]:
    """A range whose ends are values that may stand there themselves."""
    hole: dict[str, Any] = {"$ref": f"{REF}{_HOLE_NAMES[kind]}"}
    return {**hole, "properties": {kind: {"items": bounds}}} if bounds else hole


def _range(kind: str, number: dict[str, Any]) -> dict[str, Any]:
    logarithmic = {"properties": {"log": {"const": True}}, "required": ["log"]}
    positive = {"properties": {kind: {"items": {"exclusiveMinimum": 0}}}}
    return {
        "type": "object",
        "description": f"A search dimension: {{{kind}: [low, high]}}, with log: true or a step.",
        "properties": {
            kind: {
                "type": "array",
                "items": number,
                "minItems": 2,
                "maxItems": 2,
                "description": "[low, high], both included; low <= high, which no schema can say.",
            },
            "log": {"type": "boolean", "description": "Search its logarithm; without a step."},
            "step": {
                **number,
                "exclusiveMinimum": 0,
                "description": "Only low, low + step, low + 2 step, ...; without log.",
            },
        },
        "required": [kind],
        "additionalProperties": False,
        "if": logarithmic,
        "then": {**positive, "not": {"required": ["step"]}},
    }


def _add_overlays(schema: dict[str, Any]) -> None:
    """`smoke:` and `variants:`, which may hold any part of a study."""
    definitions = schema["$defs"]
    whole = {key: schema[key] for key in ("properties", "type", "additionalProperties")}
    parts = {
        f"{name}{_PARTIAL}": _partial(definition)
        for name, definition in definitions.items()
        if not name.endswith("Hole")
    }
    definitions.update(parts)
    definitions[_PARTIAL] = _partial({**whole, "description": "Any part of a study."})
    overlay = definitions[_PARTIAL]
    smoke = {
        "$ref": f"{REF}{_PARTIAL}",
        "description": "Merged into the study by --smoke: what makes it end soon.",
    }
    variant = {**overlay, "properties": {**overlay["properties"], SMOKE: smoke}}
    schema["properties"][SMOKE] = smoke
    schema["properties"][VARIANTS] = {
        "type": "object",
        "additionalProperties": variant,
        "description": "Merged into the study by --variant NAME.",
    }


def _partial(node: Any) -> Any:
    """A part of the schema in which nothing has to be there."""
    if isinstance(node, list):
        return [_partial(value) for value in node]
    if not isinstance(node, dict):
        return node
    partial = {}
    for key, value in node.items():
        if key == "$ref" and not value.endswith("Hole"):
            partial[key] = f"{value}{_PARTIAL}"
        elif key == "oneOf":  # a section without its kind fits several
            partial["anyOf"] = _partial(value)
        elif key == "allOf" and isinstance(value, list):
            continue  # what keys ask of each other may be in the study
        elif not _is_tag_table(key, value) and not (key == "required" and isinstance(value, list)):
            partial[key] = _partial(value)
    return partial


def _is_tag_table(key: str, value: Any) -> bool:
    """Whether this is OpenAPI's `discriminator`, and not a key of that name in a study."""
    return key == "discriminator" and isinstance(value, dict) and "propertyName" in value
