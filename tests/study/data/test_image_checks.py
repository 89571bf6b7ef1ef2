from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study.data.image_checks import wrong_levels

LEVELS = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)


def told(images: np.ndarray[Any, Any], parts: list[np.ndarray[Any, Any]] | None = None) -> str:
    parts = [images] if parts is None else parts
    return str(wrong_levels("in here", images.dtype, images.shape, parts))


@pytest.mark.parametrize(
    "images",
    [
        LEVELS / 255,
        (LEVELS / 255).astype(np.float32),
        LEVELS / 127.5 - 1,
        LEVELS.astype(np.int64),
        LEVELS.astype(np.uint16),
    ],
    ids=["0 to 1", "float32", "-1 to 1", "int64", "uint16"],
)
def test_the_advice_gives_the_levels_that_were_meant(images: np.ndarray[Any, Any]) -> None:
    _, advice = told(images).split(": save them as ")
    saved = eval(advice, {"images": images})
    assert saved.dtype == np.uint8
    assert np.array_equal(saved, LEVELS)


def test_the_range_is_that_of_all_parts() -> None:
    images = np.array([[0.25], [-0.5], [0.75]])
    assert "from -0.5 to 0.75, but must be uint8 in 0..255" in told(images, [*images])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (LEVELS > 7, "bool [4, 1, 8, 8], but must be uint8 in 0..255: multiply them by 255"),
        (LEVELS.astype(complex), "complex128 [4, 1, 8, 8], but must be uint8 in 0..255"),
        (np.where(LEVELS == 7, np.nan, LEVELS), "with NaN or infinity among them, but must be"),
        (np.where(LEVELS == 7, np.inf, LEVELS), "with NaN or infinity among them, but must be"),
        (LEVELS * 2.0, "from 0 to 510, but must be uint8 in 0..255: bring them to that range"),
        (LEVELS.astype(int) - 9, "from -9 to 246, but must be uint8 in 0..255: bring them to"),
        (LEVELS.astype(float), "from 0 to 255, but must be uint8 in 0..255: bring them to that"),
    ],
)
def test_what_they_are_is_told_in_one_line(images: np.ndarray[Any, Any], message: str) -> None:
    line = told(images)
    assert line.startswith("The images in here are ")
    assert message in line
    assert "\n" not in line


def test_levels_no_number_are_told_without_looking_at_them() -> None:
    texts = np.array(["a", "b"])
    assert told(texts).startswith(f"The images in here are {texts.dtype} [2], but must be uint8")
