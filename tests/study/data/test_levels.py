from __future__ import annotations

import numpy as np
import pytest

from study.data.levels import level_note, to_8_bits, white_level


def test_the_nearest_of_256_levels() -> None:
    wide = np.arange(65536, dtype=np.uint16)
    np.testing.assert_array_equal(to_8_bits(wide, None), np.rint(wide / 257))
    few = np.arange(4096, dtype=np.uint16)
    assert np.abs(to_8_bits(few, 4095) - few * (255 / 4095)).max() <= 0.5
    assert to_8_bits(np.array([0, 1]), 1).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("brightest", "white"),
    [(1, 1), (2, 255), (255, 255), (1023, 1023), (2000, 4095), (4095, 4095), (16383, 16383)],
)
def test_the_depth_is_guessed_from_the_brightest_level(brightest: int, white: int) -> None:
    assert white_level(brightest) == white
    note = level_note({8: 255, 16: brightest}, None)
    assert note is not None
    assert f"is {brightest} of 65535" in note
    assert f"`levels: {white}` (--levels {white})" in note


def test_nothing_is_said_of_bright_images() -> None:
    assert level_note({8: 32, 16: 16384}, None) is None
    assert level_note({16: 65535}, None) is None
    assert level_note({8: 32}, None) is None
    assert level_note({16: 4000}, 4095) is None


def test_levels_in_vain_and_black_images_are_told() -> None:
    assert level_note({8: 255}, 4095) == "levels 4095 does nothing: no image has 16 bits"
    note = level_note({8: 1}, None)
    assert note == "the brightest level of all images is 1 of 255: they are nearly black"
