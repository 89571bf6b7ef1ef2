"""The losses, weightings, variances and penalties of a study file are those that can be built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from section_options import FILLED, same_options

from models import PENALTIES, REGRESSIONS, VARIANCES, WEIGHTINGS
from study.spec.model import losses
from study.spec.short_form import kinds

TABLES: list[tuple[str, Any, Mapping[str, Callable[..., Any]]]] = [
    ("loss", losses.Loss, REGRESSIONS),
    ("weighting", losses.Weighting, WEIGHTINGS),
    ("variance", losses.Variance, VARIANCES),
    ("penalty", losses.Penalty, PENALTIES),
]


@pytest.mark.parametrize(("union", "table"), [row[1:] for row in TABLES], ids=lambda _: "")
def test_kinds_and_their_options(union: Any, table: Mapping[str, Callable[..., Any]]) -> None:
    sections = kinds(union)
    assert set(sections) == {*table}
    for kind in table:
        same_options(sections[kind], table[kind], {*FILLED, "count", "generator"})


@pytest.mark.parametrize("union", [row[1] for row in TABLES], ids=[row[0] for row in TABLES])
def test_a_name_alone_is_enough_for_each(union: Any) -> None:
    for kind, section in kinds(union).items():
        assert TypeAdapter(union).validate_python(kind) == section.model_validate({"kind": kind})


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({"kind": "huber"}, "delta"),
        ({"kind": "min_snr"}, "gamma"),
        ({"kind": "learned"}, "weight"),
        ({"kind": "clip"}, "limit"),
        ({"kind": "gradient"}, "weight"),
    ],
)
def test_a_setting_of_nought_turns_nothing_off(section: dict[str, Any], key: str) -> None:
    union = next(u for _, u, _ in TABLES if section["kind"] in kinds(u))
    with pytest.raises(ValidationError, match="greater than 0"):
        TypeAdapter(union).validate_python({**section, key: 0.0})
