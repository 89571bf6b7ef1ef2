from __future__ import annotations

import colorsys
import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional as peer

from models.augmentation import Augmentation

NAMES = [field.name for field in fields(Augmentation)]
ACROSS, DOWN, TURN, TILT, BRIGHTNESS, CONTRAST, SATURATION, HUE = range(1, 9)
EVERYTHING = Augmentation(0.5, 0.2, 30.0, 20.0, 0.3, 0.3, 0.3, 0.2)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def noise(*shape: int, reach: float = 1.0, seed: int = 0) -> Tensor:
    return (torch.rand(shape, generator=seeded(seed), dtype=torch.float64) * 2 - 1) * reach


def smooth(size: int) -> Tensor:
    """Two channels of waves that are as good as unchanged by interpolation: [1, 2, size, size]."""
    place = torch.arange(size, dtype=torch.float64) / size * 2 * math.pi
    waves = torch.stack([place.sin()[:, None] * place.cos(), (place[:, None] + 2 * place).sin()])
    return waves[None] * 0.9


def numbers(count: int = 1, **drawn: float) -> Tensor:
    """Draws in the middle, which change nothing, but for those that are given in -1..1."""
    rows = torch.full((count, 9), 0.5, dtype=torch.float64)
    for name, value in drawn.items():
        rows[:, globals()[name]] = (value + 1) / 2
    return rows


def middle(x: Tensor) -> Tensor:
    """The middle of images, where nothing from beyond the border is seen."""
    edge = x.shape[2] // 4
    return x[:, :, edge:-edge, edge:-edge]


def levels(x: Tensor) -> Tensor:
    return (x + 1) / 2


def test_nothing_to_do_returns_the_images_themselves() -> None:
    x = noise(2, 3, 8, 8)
    nothing = Augmentation()
    assert nothing.is_identity
    assert nothing.apply(x, nothing.draw(2, seeded())) is x
    grey = noise(2, 1, 8, 8)
    colour = Augmentation(saturation=0.5, hue=0.5)
    assert not colour.is_identity
    assert colour.apply(grey, colour.draw(2, seeded())) is grey


@pytest.mark.parametrize("name", NAMES)
def test_each_change_alone_changes_some_images_but_is_none_in_the_middle(name: str) -> None:
    x = noise(16, 3, 12, 12, reach=0.5)
    augmentation = Augmentation(**{name: 0.4})
    assert not augmentation.is_identity
    assert torch.allclose(augmentation.apply(x, numbers(16)), x, atol=1e-12)
    if name in ("rotation", "tilt"):
        augmentation = Augmentation(**{name: 30.0})
    changed = augmentation.apply(x, augmentation.draw(16, seeded(1)))
    assert changed.shape == x.shape
    assert changed.dtype == x.dtype
    assert changed.abs().max() <= 1
    assert ((changed - x).abs().amax(dim=(1, 2, 3)) > 0.01).any()


def test_flips_mirror_exactly_and_as_often_as_they_should() -> None:
    x = noise(1, 2, 5, 7).expand(4000, -1, -1, -1)
    augmentation = Augmentation(flip=0.3)
    flipped = augmentation.apply(x, augmentation.draw(4000, seeded()))
    mirrored = (flipped == x.flip(3)).all(dim=(1, 2, 3))
    assert torch.equal(flipped[~mirrored], x[~mirrored])
    # Binomial(4000, 0.3): mean 1200, standard deviation 29.
    assert abs(int(mirrored.sum()) - 1200) < 120
    assert torch.equal(
        Augmentation(flip=1.0).apply(x, augmentation.draw(4000, seeded())), x.flip(3)
    )


def test_a_shift_moves_whole_pixels_and_mirrors_at_the_border() -> None:
    x = noise(1, 3, 10, 10)
    moved = Augmentation(crop=0.3).apply(x, numbers(ACROSS=1.0, DOWN=-0.72))  # 3 right, 2.16 up
    beyond = np.pad(x.numpy(), ((0, 0), (0, 0), (5, 5), (5, 5)), mode="symmetric")
    assert torch.allclose(moved, torch.from_numpy(beyond[:, :, 7:17, 2:12]), atol=1e-12)


@pytest.mark.parametrize("share", [1.0, -1.0, 0.4])
def test_rotation_turns_by_the_angle_as_torchvision_and_scipy_do(share: float) -> None:
    x = smooth(64)
    turned = Augmentation(rotation=50.0).apply(x, numbers(TURN=share))
    expected = peer.rotate(x, -50.0 * share, interpolation=peer.InterpolationMode.BILINEAR)
    assert torch.allclose(middle(turned), middle(expected), atol=1e-6)
    linear = ndimage.rotate(x.numpy(), -50.0 * share, axes=(3, 2), reshape=False, order=1)
    assert torch.allclose(middle(turned), middle(torch.from_numpy(linear)), atol=1e-9)


def test_a_right_angle_is_exact_everywhere() -> None:
    x = noise(1, 3, 9, 9)
    turned = Augmentation(rotation=90.0).apply(x, numbers(TURN=1.0))
    assert torch.allclose(turned, x.rot90(-1, (2, 3)), atol=1e-12)


def test_tilt_shears_by_the_angle_as_torchvision_does() -> None:
    x = smooth(64)
    tilted = Augmentation(tilt=25.0).apply(x, numbers(TILT=0.8))
    expected = peer.affine(
        x,
        angle=0.0,
        translate=[0, 0],
        scale=1.0,
        shear=[-20.0, 0.0],
        interpolation=peer.InterpolationMode.BILINEAR,
    )
    assert torch.allclose(middle(tilted), middle(expected), atol=1e-6)


def test_shift_turn_and_tilt_follow_one_another_in_one_resampling() -> None:
    x = smooth(64)
    both = Augmentation(crop=0.05, rotation=20.0, tilt=10.0)
    drawn = numbers(ACROSS=1.0, DOWN=0.5, TURN=0.7, TILT=-0.6)
    tilted = Augmentation(tilt=10.0).apply(x, drawn)
    turned = Augmentation(rotation=20.0).apply(tilted, drawn)
    shifted = Augmentation(crop=0.05).apply(turned, drawn)
    assert torch.allclose(middle(both.apply(x, drawn)), middle(shifted), atol=0.01)


def test_rotation_keeps_proportions_of_images_that_are_not_square() -> None:
    x = torch.full((1, 1, 21, 41), -1.0, dtype=torch.float64)
    x[0, 0, 10, 15:26] = 1.0  # a line of 11 pixels across the centre, which becomes upright
    turned = Augmentation(rotation=90.0).apply(x, numbers(TURN=1.0))
    expected = torch.full_like(x, -1.0)
    expected[0, 0, 5:16, 20] = 1.0
    assert torch.allclose(turned, expected, atol=1e-12)


@pytest.mark.parametrize("share", [-0.9, 0.3, 1.0])
def test_brightness_contrast_and_saturation_are_torchvisions(share: float) -> None:
    x = noise(2, 3, 6, 6, reach=0.4)  # far enough inside not to be clamped
    factor = 1 + 0.5 * share

    def ours(name: str) -> Tensor:
        return levels(Augmentation(**{name: 0.5}).apply(x, numbers(2, **{name.upper(): share})))

    assert torch.allclose(ours("brightness"), peer.adjust_brightness(levels(x), factor))
    # torchvision's luma weights have four digits, and sum to 0.9999.
    contrast, saturation = (peer.adjust_contrast, peer.adjust_saturation)
    assert torch.allclose(ours("contrast"), contrast(levels(x), factor), atol=2e-4)
    assert torch.allclose(ours("saturation"), saturation(levels(x), factor), atol=2e-4)
    grey = x[:, :1]
    changed = Augmentation(contrast=0.5).apply(grey, numbers(2, CONTRAST=share))
    assert torch.allclose(levels(changed), contrast(levels(grey), factor), atol=1e-12)


def test_colour_changes_follow_one_another_in_one_map() -> None:
    x = noise(3, 3, 5, 5, reach=0.3)
    together = Augmentation(brightness=0.2, contrast=0.2, saturation=0.2, hue=0.1)
    drawn = together.draw(3, seeded()).double()
    step = x
    for name in ("brightness", "contrast", "saturation", "hue"):
        step = Augmentation(**{name: getattr(together, name)}).apply(step, drawn)
    assert torch.allclose(together.apply(x, drawn), step, atol=1e-12)


@pytest.mark.parametrize("share", [-1.0, 0.25, 0.7])
def test_hue_turns_colours_about_grey_in_yiq(share: float) -> None:
    x = noise(1, 3, 4, 4, reach=0.2)
    turned = levels(Augmentation(hue=0.5).apply(x, numbers(HUE=share)))
    for before, after in zip(
        levels(x)[0].flatten(1).T.tolist(), turned[0].flatten(1).T.tolist(), strict=True
    ):
        y, i, q = colorsys.rgb_to_yiq(*before)
        turned_y, turned_i, turned_q = colorsys.rgb_to_yiq(*after)
        # colorsys rounds the matrix elsewhere.
        assert turned_y == pytest.approx(y, abs=2e-3)
        expected = complex(i, q) * np.exp(1j * math.pi * share)
        assert complex(turned_i, turned_q) == pytest.approx(expected, abs=2e-3)


def test_hue_and_saturation_leave_grey_alone() -> None:
    grey = noise(2, 1, 4, 4).expand(-1, 3, -1, -1)
    augmentation = Augmentation(saturation=1.0, hue=0.5)
    changed = augmentation.apply(grey, augmentation.draw(2, seeded()))
    assert torch.allclose(changed, grey, atol=1e-12)


def test_results_stay_in_range() -> None:
    x = noise(50, 3, 6, 6)
    augmentation = Augmentation(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.5)
    changed = augmentation.apply(x, augmentation.draw(50, seeded()))
    assert changed.abs().max() == 1.0


def test_the_gradient_flows_to_the_images() -> None:
    x = noise(2, 3, 5, 5, reach=0.3).requires_grad_()
    augmentation = Augmentation(0.5, 0.2, 30.0, 20.0, 0.2, 0.2, 0.2, 0.1)
    drawn = augmentation.draw(2, seeded(3)).double()
    assert torch.autograd.gradcheck(lambda images: augmentation.apply(images, drawn), (x,))
    assert torch.autograd.gradgradcheck(lambda images: augmentation.apply(images, drawn), (x,))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_is_changed_alike_in_whatever_batch(channels: int) -> None:
    x = noise(7, channels, 8, 8).float()
    drawn = EVERYTHING.draw(7, seeded())
    whole = EVERYTHING.apply(x, drawn)
    for sizes in ([1] * 7, [3, 4], [6, 1]):
        parts = zip(x.split(sizes), drawn.split(sizes), strict=True)
        apart = torch.cat([EVERYTHING.apply(images, part) for images, part in parts])
        assert torch.allclose(apart, whole, atol=1e-6)


def test_draws_depend_on_the_seed_alone_and_are_uniform() -> None:
    drawn = EVERYTHING.draw(20_000, seeded())
    assert torch.equal(drawn, Augmentation().draw(20_000, seeded()))
    assert not torch.equal(drawn, EVERYTHING.draw(20_000, seeded(1)))
    assert drawn.shape == (20_000, 9)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    # The standard deviation of the mean of a uniform number is 0.289 / sqrt(20000) = 0.002.
    assert torch.allclose(drawn.mean(0), torch.tensor(0.5), atol=0.01)
    assert torch.allclose(torch.corrcoef(drawn.T), torch.eye(9), atol=0.035)


def test_sizes_are_drawn_uniformly_up_to_the_largest() -> None:
    count = 4000
    level = torch.full((count, 1, 2, 2), 0.0)
    augmentation = Augmentation(brightness=0.4)
    changes = augmentation.apply(level, augmentation.draw(count, seeded()))[:, 0, 0, 0]
    # Level 0.5 times 1 +- 0.4, as -1..1.
    cuts = torch.linspace(-0.4, 0.4, 9, dtype=changes.dtype)
    counts = torch.histogram(changes, cuts).hist
    assert counts.sum() == count
    assert (counts - count / 8).abs().max() < 5 * math.sqrt(count / 8)

    mark = torch.zeros(count, 1, 10, 10)
    mark[:, 0, 5, 5] = 1
    augmentation = Augmentation(crop=0.2)
    moved = augmentation.apply(mark, augmentation.draw(count, seeded()))
    rows, columns = (moved.sum(dim=(1, dim)).argmax(1) for dim in (3, 2))
    for places in (rows, columns):
        # Rounding gives the two outermost shifts half the share of the others.
        assert places.unique(return_counts=True)[1] / count == pytest.approx(
            torch.tensor([1, 2, 2, 2, 1]) / 8, abs=0.04
        )
    assert abs(torch.corrcoef(torch.stack([rows, columns]).float())[0, 1]) < 0.08


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [-0.1, math.nan, 181.0])
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^The value of `{name}` is {value}, but must be in \["):
        Augmentation(**{name: value})
