from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.data import ImageSet, load_images, split
from study.spec.errors import UserError


def numbered(labels: list[int] | None, count: int) -> ImageSet:
    """Images that hold their own number."""
    pixels = np.arange(count, dtype="<u2").view(np.uint8).reshape(count, 1, 1, 2)
    return ImageSet("numbered", pixels, None if labels is None else np.array(labels, np.int64))


def numbers(image_set: ImageSet) -> list[int]:
    return np.ascontiguousarray(image_set.images).view("<u2").ravel().tolist()


labels_lists = st.lists(st.integers(0, 4), min_size=2, max_size=300)


@given(labels=labels_lists, held_out=st.floats(0.001, 0.999), seed=st.integers(0, 2**32))
def test_parts_are_disjoint_complete_ordered_and_stratified(
    labels: list[int], held_out: float, seed: int
) -> None:
    image_set = numbered(labels, len(labels))
    parts = split(image_set, held_out=held_out, seed=seed)
    train, held = numbers(parts.train), numbers(parts.held_out)
    assert sorted(train + held) == list(range(len(labels)))
    assert train == sorted(train)
    assert held == sorted(held)
    assert len(held) == min(max(round(len(labels) * held_out), 1), len(labels) - 1)
    assert parts.held_out.labels is not None
    assert parts.held_out.labels.tolist() == [labels[number] for number in held]
    for label in set(labels):
        share = labels.count(label) * len(held) / len(labels)
        taken = np.count_nonzero(parts.held_out.labels == label)
        assert math.floor(share) <= taken <= math.ceil(share)


@given(count=st.integers(2, 300), held_out=st.floats(0.001, 0.999), seed=st.integers(0, 99))
def test_images_without_labels_are_split_too(count: int, held_out: float, seed: int) -> None:
    parts = split(numbered(None, count), held_out=held_out, seed=seed)
    assert parts.train.labels is None
    assert sorted(numbers(parts.train) + numbers(parts.held_out)) == list(range(count))


def test_every_image_can_be_held_out_and_about_as_often() -> None:
    image_set = numbered([0, 1, 2] * 10, 30)
    times = np.zeros(30)
    for seed in range(400):
        times[numbers(split(image_set, held_out=0.3, seed=seed).held_out)] += 1
    # Binomial(400, 0.3): mean 120, standard deviation 9.
    assert np.all(np.abs(times - 120) < 45)


def test_the_seed_decides() -> None:
    digits = load_images("digits", size=None)
    first, again, other = (split(digits, held_out=0.2, seed=seed) for seed in (0, 0, 1))
    assert first.held_out.digest == again.held_out.digest
    assert first.train.digest == again.train.digest
    digests = {part.digest for parts in (first, other) for part in (parts.train, parts.held_out)}
    assert len(digests | {digits.digest}) == 5
    assert first.held_out.part == "held-out of held_out=0.2, seed=0"
    assert first.train.part == "train of held_out=0.2, seed=0"


@pytest.mark.parametrize("held_out", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_fraction_out_of_range_is_refused(held_out: float) -> None:
    with pytest.raises(UserError, match=r"`held_out` is .*, but must be in \(0, 1\)"):
        split(numbered(None, 9), held_out=held_out, seed=0)


def test_a_negative_seed_and_a_single_image_are_refused() -> None:
    with pytest.raises(UserError, match="`seed` is -1"):
        split(numbered(None, 9), held_out=0.5, seed=-1)
    with pytest.raises(UserError, match="at least 2"):
        split(numbered(None, 1), held_out=0.5, seed=0)
