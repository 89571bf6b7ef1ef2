from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from study.spec.errors import UserError
from study.trust.corruptions import (
    LEVELS,
    corruptions,
    dead_pixels,
    gaussian_noise,
    invasion,
)

Images = NDArray[np.uint8]
SHARES = st.floats(0, 1)
SEEDS = st.integers(0, 2**64 - 1)


def bright(count: int, channels: int = 3, side: int = 6) -> Images:
    """Images with no black pixel, each another one."""
    rng = np.random.default_rng(count)
    return rng.integers(1, 256, (count, channels, side, side + 1), dtype=np.uint8)


@given(SHARES, SEEDS)
@settings(max_examples=25)
def test_dead_pixels_are_exactly_so_many_in_each_image(share: float, seed: int) -> None:
    images = bright(300)  # more than one block
    harmed = dead_pixels(images, share, seed)
    dead = (harmed == 0).all(axis=1)  # [N, H, W]
    assert (dead.sum(axis=(1, 2)) == round(share * 42)).all()
    alive = ~np.broadcast_to(dead[:, None], images.shape)
    assert np.array_equal(harmed[alive], images[alive])


def test_each_image_has_its_own_dead_pixels_and_none_is_spared() -> None:
    dead = (dead_pixels(bright(400), 0.25, 0) == 0).all(axis=1).reshape(400, -1)
    assert len(np.unique(dead, axis=0)) > 395
    share = round(0.25 * 42) / 42
    error = (share * (1 - share) / 400) ** 0.5
    assert np.abs(dead.mean(axis=0) - share).max() < 5 * error


@given(SHARES, SEEDS)
@settings(max_examples=25)
def test_an_invasion_replaces_exactly_the_share(share: float, seed: int) -> None:
    images, invaders = bright(40), np.zeros((7, 3, 6, 7), np.uint8)
    invaders[:, 0, 0, 0] = np.arange(7)
    harmed = invasion(images, invaders, share, seed)
    changed = (harmed != images).any(axis=(1, 2, 3))
    assert changed.sum() == round(share * 40)
    # Each invader comes as often as the others, up to one.
    arrived = np.bincount(harmed[changed][:, 0, 0, 0], minlength=7)
    assert arrived.max() - arrived.min() <= 1


@given(st.floats(0, 40), SEEDS)
@settings(max_examples=10)
def test_noise_has_its_deviation(deviation: float, seed: int) -> None:
    grey = np.full((300, 1, 8, 8), 128, np.uint8)  # 3 deviations from either end
    noise = gaussian_noise(grey, deviation, seed).astype(np.float64) - 128
    rounding = 1 / 12 if deviation > 0.5 else 0
    if deviation > 0.5:
        assert noise.std() == pytest.approx((deviation**2 + rounding) ** 0.5, rel=0.05)
    assert abs(noise.mean()) <= 5 * (deviation + 0.5) / noise.size**0.5


def test_noise_is_clipped_not_wrapped() -> None:
    black, white = np.zeros((50, 1, 8, 8), np.uint8), np.full((50, 1, 8, 8), 255, np.uint8)
    assert (gaussian_noise(black, 30, 0) == 0).mean() == pytest.approx(0.5, abs=0.03)
    assert (gaussian_noise(white, 30, 0) == 255).mean() == pytest.approx(0.5, abs=0.03)


KINDS = corruptions(42, 40, np.zeros((9, 3, 6, 7), np.uint8))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_level_0_is_the_identity_and_the_seed_decides_the_rest(kind) -> None:  # type: ignore[no-untyped-def]
    images = bright(40)
    before = images.copy()
    assert np.array_equal(kind.apply(images, 0.0, 3), images)
    last = kind.levels[-1]
    harmed = kind.apply(images, last, 3)
    assert harmed.dtype == np.uint8
    assert np.array_equal(harmed, kind.apply(images, last, 3))
    assert not np.array_equal(harmed, kind.apply(images, last, 4))
    assert np.array_equal(images, before)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_what_a_level_harms_a_higher_one_harms_too(kind) -> None:  # type: ignore[no-untyped-def]
    images = bright(40).clip(60, 190).astype(np.uint8)
    before = np.zeros(images.shape, np.bool_)
    for level in kind.levels:
        changed = kind.apply(images, level, 0) != images
        assert not (before & ~changed).any()
        before = changed
    assert before.any()


def test_levels_are_whole_pixels_and_images_each_once() -> None:
    dead, noise, invaded = corruptions(64, 52, np.zeros((1, 1, 8, 8), np.uint8))
    assert [round(each * 64, 9) for each in dead.levels] == [0, 1, 3, 6, 13, 26]
    assert [round(each * 52, 9) for each in invaded.levels] == [0, 1, 3, 5, 10, 21]
    assert noise.levels == LEVELS["noise"]
    asked = corruptions(64, 52, np.zeros((1, 1, 8, 8), np.uint8), {"noise": (0, 3)})
    assert asked[1].levels == (0, 3)
    assert asked[0].levels == dead.levels


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ({"blur": (0.0, 1.0)}, "names 'blur', but its keys must be of dead_pixels, noise"),
        ({"noise": (1.0, 2.0)}, "are 1, 2, but must be 0 and one or more that rise"),
        ({"noise": (0.0, 2.0, 2.0)}, "are 0, 2, 2, but must be 0 and one or more that rise"),
        ({"noise": ()}, "are none, but must be 0"),
        ({"noise": (0.0, float("nan"))}, "are 0, nan, but"),
        ({"invasion": (0.0, 1.5)}, "are 0, 1.5, but must be 0 and one or more that rise to at"),
    ],
)
def test_levels_that_are_none(levels: dict[str, tuple[float, ...]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        corruptions(64, 52, np.zeros((1, 1, 8, 8), np.uint8), levels)


def test_a_level_is_written_in_two_digits() -> None:
    dead, noise, _ = KINDS
    assert [dead.level_text(each) for each in (0, 0.00128, 0.0497, 0.1, 1)] == [
        "0%", "0.13%", "5%", "10%", "100%",
    ]  # fmt: skip
    assert [noise.level_text(each) for each in (0, 0.5, 64, 128)] == ["0", "0.5", "64", "128"]
