from __future__ import annotations

import math
from typing import Any

import pytest

from study.data import Preparation
from study.spec.errors import UserError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 7}, r"`size` is 7, but must be in 8\.\.128, or none"),
        ({"size": 129}, "`size` is 129"),
        ({"channels": 4}, "`channels` is 4, but must be 1 or 3, or none"),
        ({"fit": "stretch"}, "`fit` is 'stretch', but must be crop or pad"),
        ({"background": 256}, r"`background` is 256, but must be in 0\.\.255"),
        ({"edges": "canny"}, "`edges` is 'canny', but must be none, sobel or laplacian"),
        ({"fraction": 0.0}, r"`fraction` is 0.0, but must be in \(0, 1\], or none"),
        ({"fraction": 1.01}, "`fraction` is 1.01"),
        ({"fraction": math.nan}, "`fraction` is nan"),
        ({"count": 1}, "`count` is 1, but must be >= 2, or none"),
        ({"on_error": "mend"}, "`on_error` is 'mend', but must be fail or skip"),
        ({"seed": -1}, "`seed` is -1, but must be >= 0"),
        ({"fraction": 0.5, "count": 5}, "0.5 and 5, but at most one of them may be given"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Preparation(**settings)


def test_how_many_images_are_kept() -> None:
    assert Preparation().kept(10) == 10
    assert Preparation(count=4).kept(10) == 4
    assert Preparation(fraction=0.25).kept(10) == 2
    assert Preparation(fraction=0.01).kept(10) == 1
    with pytest.raises(UserError, match="`count` is 11, but must be <= 10"):
        Preparation(count=11).kept(10)


def test_the_part_that_is_kept_in_words() -> None:
    assert Preparation(seed=3).chosen_by == "all"
    assert Preparation(count=4, seed=3).chosen_by == "count=4, seed=3"
    assert Preparation(fraction=0.25).chosen_by == "fraction=0.25, seed=0"
