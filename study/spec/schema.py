"""JSON Schema of a study file, for editors: the plain study's, with holes where they may stand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from study.spec.holes import DISCRIMINATORS
from study.spec.mistakes import SEARCHABLE
from study.spec.overlays import SMOKE, VARIANTS
from study.spec.study import Study
from study.spec.weights import TAKEN

_NUMBER = {"type": "number"}
_REF = "#/$defs/"
_PARTIAL = "Overlay"


def study_schema() -> dict[str, Any]:
    """The schema, as a JSON-ready mapping (draft 2020-12)."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    done: set[str] = set()
    for *above, key in SEARCHABLE:
        section = schema
        for step in above:
            section = definitions[_only_name(section["properties"][step])]
        value = section["properties"][key]
        for name in _reached(value, definitions):
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
    trained = [key for key in schema["required"] if key in TAKEN]
    schema["required"] = [key for key in schema["required"] if key not in TAKEN]
    schema["anyOf"] = [{"required": trained}, {"required": ["weights"]}]
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fidtune study file"
    return schema


def _only_name(value: dict[str, Any]) -> str:
    """The definition that a section's key refers to."""
    return str(value["$ref"]).removeprefix(_REF)


def _reached(value: Any, definitions: dict[str, Any]) -> list[str]:
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
    plain = {k: v for k, v in value.items() if k not in ("description", "default", "title")}
    listed = {"type": "array", "minItems": 1, "items": plain}
    named = {"type": "object", "minProperties": 1, "additionalProperties": plain}
    choice = {
        "type": "object",
        "properties": {"choice": {"anyOf": [listed, named]}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    options = [plain, choice]
    kinds = {value.get("type"), *(option.get("type") for option in value.get("anyOf", ()))}
    if "number" in kinds:
        options.append({"$ref": f"{_REF}FloatHole"})
    if "integer" in kinds:
        options.append({"$ref": f"{_REF}IntHole"})
    kept = {k: v for k, v in value.items() if k in ("description", "default", "title")}
    return {"anyOf": options, **kept}


def _range(kind: str, number: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"A search dimension: {{{kind}: [low, high]}}, with log: true or a step.",
        "properties": {
            kind: {"type": "array", "items": number, "minItems": 2, "maxItems": 2},
            "log": {"type": "boolean"},
            "step": {**number, "exclusiveMinimum": 0},
        },
        "required": [kind],
        "additionalProperties": False,
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
        "$ref": f"{_REF}{_PARTIAL}",
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
        elif not _is_tag_table(key, value) and not (key == "required" and isinstance(value, list)):
            partial[key] = _partial(value)
    return partial


def _is_tag_table(key: str, value: Any) -> bool:
    """Whether this is OpenAPI's `discriminator`, and not a key of that name in a study."""
    return key == "discriminator" and isinstance(value, dict) and "propertyName" in value
