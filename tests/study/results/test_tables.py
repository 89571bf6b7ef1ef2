from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ledger_rows import complete, pruned


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "failed", "value": None},
        {"state": "pruned"},
        {"value": None},
        {"value": float("nan")},
        {"ended": None},
        {"state": "running"},
    ],
)
def test_a_row_cannot_contradict_itself(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="trial 0 is"):
        replace(complete(0, 1.0), **changes)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError):
        replace(pruned(0, 1.0), colour="red")  # type: ignore[call-arg]
