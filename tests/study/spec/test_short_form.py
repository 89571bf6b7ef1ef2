from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from study.spec.section import Section
from study.spec.short_form import ShortForm, kinds


class Square(Section):
    kind: Literal["square"]
    side: float = 1.0


class Circle(Section):
    kind: Literal["circle"]
    radius: float


Shape = Annotated[Square | Circle, Field(discriminator="kind"), ShortForm("shape")]
shapes: TypeAdapter[Square | Circle] = TypeAdapter(Shape)


def test_a_name_is_a_kind_with_its_defaults() -> None:
    assert shapes.validate_python("square") == Square(kind="square")
    assert shapes.validate_python({"kind": "square", "side": 2.0}) == Square(kind="square", side=2)


def test_a_name_is_not_enough_where_a_key_is_required() -> None:
    with pytest.raises(ValidationError) as caught:
        shapes.validate_python("circle")
    (error,) = caught.value.errors()
    assert (error["type"], error["loc"]) == ("missing", ("circle", "radius"))


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    rule = "unknown shape 'sqare': known are square, circle; did you mean `square`"
    with pytest.raises(ValidationError, match=rule):
        shapes.validate_python("sqare")


def test_the_schema_takes_the_names_that_are_enough_beside_the_sections() -> None:
    schema = shapes.json_schema()
    names, sections = schema["anyOf"]
    assert names == {"enum": ["square"]}
    assert {*sections["discriminator"]["mapping"]} == {"square", "circle"}


def test_kinds_are_those_of_a_union_or_of_a_single_section() -> None:
    assert kinds(Shape) == kinds(Square | Circle) == {"square": Square, "circle": Circle}
    assert kinds(Circle) == {"circle": Circle}
