from __future__ import annotations

from typing import Any

import pytest

from models.options import short_form


def test_a_name_alone_is_a_kind_without_options() -> None:
    assert short_form("l1", "loss") == ("l1", {})


def test_a_mapping_is_split_into_its_kind_and_its_options() -> None:
    written = {"delta": 2.0, "kind": "huber"}
    assert short_form(written, "loss") == ("huber", {"delta": 2.0})
    assert written == {"delta": 2.0, "kind": "huber"}


@pytest.mark.parametrize("bad", [3, None, {"delta": 2.0}, {"kind": 1}, ["l1"]])
def test_anything_else_is_named(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"The value of `loss` is .*, but must be a kind, or have"):
        short_form(bad, "loss")
