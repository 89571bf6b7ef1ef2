"""JSON Schema of a study file, for editors: the plain study's, with holes where they may stand."""

from __future__ import annotations

from typing import Any

from study.spec.names import PRUNERS
from study.spec.study import Study
from study.spec.study_file import SEARCHABLE

_NUMBER = {"type": "number"}


def study_schema() -> dict[str, Any]:
    """The schema, as a JSON-ready mapping (draft 2020-12)."""
    schema = Study.model_json_schema()
    definitions = schema["$defs"]
    for name, definition in list(definitions.items()):
        # The sections that cannot hold holes keep their plain form.
        if name in {"Data", "Score", "Search", "Scale"} or name.endswith("Pruner"):
            continue
        for key, value in definition.get("properties", {}).items():
            if key not in ("kind", "family"):
                definition["properties"][key] = _with_hole(value)
    for section in SEARCHABLE:
        schema["properties"][section] = _with_hole(schema["properties"][section])
    pruner = definitions["Search"]["properties"]["pruner"]
    definitions["Search"]["properties"]["pruner"] = {
        "anyOf": [{"enum": [*PRUNERS]}, {k: v for k, v in pruner.items() if k != "default"}],
        "description": pruner.get("description", ""),
    }
    definitions["FloatHole"] = _range("float", _NUMBER)
    definitions["IntHole"] = _range("int", {"type": "integer"})
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "fidtune study file"
    return schema


def _with_hole(value: dict[str, Any]) -> dict[str, Any]:
    """A value, or a hole of its type in its place."""
    plain = {k: v for k, v in value.items() if k not in ("description", "default", "title")}
    choice = {
        "type": "object",
        "properties": {"choice": {"type": "array", "minItems": 1, "items": plain}},
        "required": ["choice"],
        "additionalProperties": False,
    }
    options = [plain, choice]
    kinds = {value.get("type"), *(option.get("type") for option in value.get("anyOf", ()))}
    if "number" in kinds:
        options.append({"$ref": "#/$defs/FloatHole"})
    if "integer" in kinds:
        options.append({"$ref": "#/$defs/IntHole"})
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
