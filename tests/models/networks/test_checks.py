from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from models.networks.checks import (
    check_at_least,
    check_channels,
    check_divisible,
    check_dropout,
    output_channels,
)


def test_what_can_be_passes() -> None:
    check_channels([1, 64])
    check_dropout(0)
    check_dropout(0.999)
    check_at_least("depth", 1, 1)
    check_divisible((3, 12, 8), 4, "with 3 `channels`")
    assert output_channels((3, 8, 8), None) == 3
    assert output_channels((3, 8, 8), 6) == 6


@pytest.mark.parametrize(
    ("check", "arguments", "message"),
    [
        (check_channels, ([],), r"`channels` is \[\], but must be integers >= 1"),
        (check_channels, ([8, 0],), r"`channels` is \[8, 0\], but must be integers >= 1"),
        (check_channels, ([8.0],), r"`channels` is \[8.0\], but must be integers >= 1"),
        (check_dropout, (1.0,), r"`dropout` is 1.0, but must be in \[0, 1\)"),
        (check_dropout, (-0.1,), r"`dropout` is -0.1, but must be in \[0, 1\)"),
        (check_dropout, (float("nan"),), r"`dropout` is nan, but must be in \[0, 1\)"),
        (check_at_least, ("heads", 0, 1), "`heads` is 0, but must be >= 1"),
        (
            check_divisible,
            ((1, 8, 6), 4, "with 3 `channels`"),
            "The images are 8x6, but with 3 `channels` their sides must be divisible by 4",
        ),
        (check_divisible, ((1, 6, 8), 4, "so"), "6x8, but so their sides must be divisible by 4"),
        (output_channels, ((1, 8, 8), 0), "`out_channels` is 0, but must be >= 1"),
    ],
)
def test_what_can_not_be_is_told_with_its_rule(
    check: Callable[..., Any], arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(*arguments)
