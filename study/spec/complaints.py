"""Turning pydantic's findings into one line: where, what, the rule."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from study.spec.errors import UserError
from study.spec.fit import misfits_with_images
from study.spec.foreign_holes import in_our_words
from study.spec.foreign_names import CALLED_KIND, normalised, our_key
from study.spec.holes import DISCRIMINATORS
from study.spec.model.networks import IMPORT_PATTERN
from study.spec.names import nearest
from study.spec.near_holes import hole_hint, hole_in
from study.spec.searchable import is_searchable, listed
from study.spec.section import Misfit
from study.spec.study import NAME_PATTERN, Study
from study.spec.yaml_file import TreePath, parse_scalar

_MISSING = object()

_PATTERNS = {
    NAME_PATTERN: "1 to 80 letters, digits, dots, dashes or underscores, and not begin with a dot",
    IMPORT_PATTERN: "written package.module:Class",
}

_WORDS = {
    "Input should be": "must be",
    "Tuple should have": "must have",
    " after validation": "",
    "a valid tuple": "a list",
    "Value": "value",
}
"""What pydantic says, and what it is called in a study file."""

_NUMBERS = ("int_type", "float_type")
_SCALARS = (*_NUMBERS, "bool_type", "string_type")
"""Pydantic's complaints of a value that is none of its type."""

UNQUOTED = ": write it without quotes"


@dataclass(frozen=True)
class Complaint:
    """One mistake in a plain tree."""

    path: TreePath
    rule: str

    def __str__(self) -> str:
        dotted = ".".join(map(str, self.path))
        return f"{dotted}: {self.rule}" if dotted else self.rule


def validate(tree: Any) -> Study | list[Complaint]:
    """The study that a plain tree is, or everything that is wrong with it, first things first."""
    try:
        study = Study.model_validate(tree)
    except ValidationError as error:
        # A misspelt key is why another is missing, so it comes first.
        details = sorted(
            error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden"
        )
        return [_complaint(tree, detail) for detail in details]
    misfits = [Complaint(misfit.path, str(misfit)) for misfit in misfits_with_images(study)]
    return misfits or study


def complaints(tree: Any) -> list[Complaint]:
    """Everything that is wrong with a plain tree as a study, first things first."""
    outcome = validate(tree)
    return [] if isinstance(outcome, Study) else outcome


def _complaint(tree: Any, detail: ErrorDetails) -> Complaint:
    path = _real_path(tree, detail["loc"])
    unknown = detail["type"] == "extra_forbidden"
    for depth in range(1, len(path) + (not unknown)):
        rule = _written_otherwise(_at(tree, path[:depth]), path[:depth])
        if rule:
            return Complaint(path[:depth], rule)
    value = _at(tree, path)
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return Complaint(path, f"unknown key{_key_hint(tree, path)}")
        case "missing":
            return Complaint(path, "is missing")
        case "value_error":
            error = context["error"]
            if isinstance(error, Misfit):
                path = (*path, *error.path)
            hint = _hole_hint(tree, path) if isinstance(value, str) else ""
            return Complaint(path, f"{error}{hint}")
        case "union_tag_invalid" | "literal_error" | "enum":
            if detail["type"] == "union_tag_invalid":
                path = (*path, str(context["discriminator"]).strip("'"))
                expected = str(context["expected_tags"])
            else:
                expected = str(context["expected"])
            options = [
                option.strip().strip("'") for option in expected.replace(" or ", ", ").split(",")
            ]
            listed_options = ", ".join(options)
            value = _at(tree, path)
            quoted = isinstance(value, str) and value in options
            hint = nearest(str(value), options) + _hole_hint(tree, path)
            return Complaint(
                path,
                f"{value!r} is not one of {listed_options}{UNQUOTED if quoted else hint}",
            )
        case "union_tag_not_found":
            discriminator = str(context["discriminator"]).strip("'")
            other = [key for key in value if key in CALLED_KIND] if isinstance(value, dict) else []
            hint = f"; what is `{other[0]}` elsewhere is `{discriminator}` here" if other else ""
            return Complaint((*path, discriminator), f"is missing{hint}")
        case "string_pattern_mismatch":
            return Complaint(path, f"{value!r} must be {_PATTERNS[str(context['pattern'])]}")
        case "model_type" | "model_attributes_type" | "dict_type":
            rule = f"{_show(value)} must be a section with keys of its own"
            return Complaint(path, f"{rule}{_hole_hint(tree, path)}")
        case _:
            rule = detail["msg"]
            for words, ours in _WORDS.items():
                rule = rule.replace(words, ours)
            hint = _hole_hint(tree, path, list_wanted=detail["type"] not in _SCALARS)
            if detail["type"] in _NUMBERS and isinstance(value, str) and _is_number(value):
                hint = UNQUOTED
            return Complaint(path, f"{_show(value)} {rule}{hint}")


def _written_otherwise(value: Any, path: TreePath) -> str:
    """The rule for a hole that is written in another way than ours; empty for anything else."""
    foreign = in_our_words(value)
    if foreign is not None and isinstance(foreign.ours, Mapping) and not is_searchable(path):
        return f"a hole as in {foreign.tool}, but holes can stand in {listed()} alone"
    if foreign is not None:
        return str(foreign)
    ours = hole_in(value) if is_searchable(path) else ""
    return f"a hole is written {ours}" if ours else ""


def _hole_hint(tree: Any, path: TreePath, *, list_wanted: bool = False) -> str:
    """Which hole may be meant by a value that cannot stand there; empty if none can."""
    value = _at(tree, path)
    if isinstance(value, list) and path and isinstance(path[-1], int):
        path = path[:-1]  # of a list of lists each is meant as an option
        value = _at(tree, path)
    hint = hole_hint(value, list_wanted=list_wanted) if is_searchable(path) else ""
    return f"; {hint}" if hint else ""


def _is_number(text: str) -> bool:
    try:
        value = parse_scalar(text)
    except UserError:
        return False
    return isinstance(value, int | float) and not isinstance(value, bool)


def _key_hint(tree: Any, path: TreePath) -> str:
    """Which key is meant by an unknown one: of this section, or of another one."""
    known = sorted(_known_keys(tree, path[:-1]))
    key, section = str(path[-1]), ".".join(map(str, path[:-1]))
    same = [name for name in known if normalised(name) == normalised(key)]
    ours = None if same else our_key(section, key, has_kinds="kind" in known)
    places = [ours] if ours else [] if same else [*_other_places(key)]
    if places and ours not in {f"{section}.{name}" for name in known}:
        *most, last = (f"`{place}`" for place in places)
        return f"; did you mean {', '.join(most)}{' or ' if most else ''}{last}?"
    if ours:
        return f"; did you mean `{ours.rpartition('.')[2]}`?"
    return nearest(key, known) or f"; known are {', '.join(known)}"


def _other_places(key: str) -> Iterator[str]:
    """The sections of a study in which a key may stand."""
    for name, field in Study.model_fields.items():
        if any(key in section.model_fields for section in _sections(field.annotation)):
            yield f"{name}.{key}"


def _show(value: Any) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _real_path(tree: Any, location: tuple[int | str, ...]) -> TreePath:
    """Pydantic's location without the tags of unions, which are no keys of the file."""
    path: list[int | str] = []
    node = tree
    for position, step in enumerate(location):
        if isinstance(node, Mapping):
            if step in node:
                node = node[str(step)]
            elif (
                step in {node.get(key) for key in DISCRIMINATORS if isinstance(node.get(key), str)}
                or position < len(location) - 1
            ):
                continue
            path.append(step)
        elif isinstance(node, list | tuple) and isinstance(step, int):
            node = node[step] if step < len(node) else _MISSING
            path.append(step)
        elif node is _MISSING:
            path.append(step)
        elif node == step:
            # The tag of a short form, as in `pruner: asha`, which has no keys in the file.
            node = _MISSING
    return tuple(path)


def _at(tree: Any, path: TreePath) -> Any:
    node = tree
    for step in path:
        try:
            node = node[step]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def _known_keys(tree: Any, path: TreePath) -> set[str]:
    """The keys that the section at a path may hold, given the kinds that the tree names."""
    sections: list[type[BaseModel]] = [Study]
    node = tree
    for step in path:
        if isinstance(node, list | tuple) and isinstance(step, int):
            node = node[step]  # the sections are those of the list's items already
            continue
        if not isinstance(node, Mapping):
            return set()
        node = node.get(step)
        fields = [s.model_fields[str(step)] for s in sections if step in s.model_fields]
        sections = [section for field in fields for section in _sections(field.annotation)]
        tagged = [s for s in sections if _tag_fits(s, node)]
        sections = tagged or sections
    return {name for section in sections for name in section.model_fields}


def _tag_fits(section: type[BaseModel], node: Any) -> bool:
    for key in DISCRIMINATORS:
        if key in section.model_fields and isinstance(node, Mapping):
            return node.get(key) in typing.get_args(section.model_fields[key].annotation)
    return True


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif typing.get_origin(annotation) in (
        typing.Union,
        types.UnionType,
        typing.Annotated,
        tuple,
    ):
        for argument in typing.get_args(annotation):
            yield from _sections(argument)
