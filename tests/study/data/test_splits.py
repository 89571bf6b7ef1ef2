from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.data import (
    SPLITS,
    Fraction,
    ImageSet,
    KFold,
    LeaveOneOut,
    Preparation,
    load_images,
    split,
)
from study.data.splits import choose
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
    parts = split(image_set, Fraction(held_out), seed=seed)
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
    parts = split(numbered(None, count), Fraction(held_out), seed=seed)
    assert parts.train.labels is None
    assert sorted(numbers(parts.train) + numbers(parts.held_out)) == list(range(count))


def test_every_image_can_be_held_out_and_about_as_often() -> None:
    image_set = numbered([0, 1, 2] * 10, 30)
    times = np.zeros(30)
    for seed in range(400):
        times[numbers(split(image_set, Fraction(0.3), seed=seed).held_out)] += 1
    # Binomial(400, 0.3): mean 120, standard deviation 9.
    assert np.all(np.abs(times - 120) < 45)


def test_the_seed_decides() -> None:
    digits = load_images("digits")
    first, again, other = (split(digits, seed=seed) for seed in (0, 0, 1))
    assert first.held_out.digest == again.held_out.digest
    assert first.train.digest == again.train.digest
    digests = {part.digest for parts in (first, other) for part in (parts.train, parts.held_out)}
    assert len(digests | {digits.digest}) == 5
    assert first.held_out.part == "held-out of held_out=0.2, seed=0"
    assert first.train.part == "train of held_out=0.2, seed=0"


@pytest.mark.parametrize("held_out", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_fraction_out_of_range_is_refused(held_out: float) -> None:
    with pytest.raises(UserError, match=r"`held_out` is .*, but must be in \(0, 1\)"):
        Fraction(held_out)


def test_a_negative_seed_and_a_single_image_are_refused() -> None:
    with pytest.raises(UserError, match="`seed` is -1"):
        split(numbered(None, 9), Fraction(0.5), seed=-1)
    with pytest.raises(UserError, match="at least 2"):
        split(numbered(None, 1), Fraction(0.5), seed=0)


@given(labels=labels_lists, folds=st.integers(2, 12), seed=st.integers(0, 99))
def test_every_image_is_in_exactly_one_fold_and_folds_are_alike(
    labels: list[int], folds: int, seed: int
) -> None:
    image_set = numbered(labels, len(labels))
    if folds > len(labels):
        with pytest.raises(UserError, match=rf"`folds` is {folds}, but must be <= {len(labels)}"):
            split(image_set, KFold(folds), seed=seed)
        return
    splits = [split(image_set, KFold(folds, fold), seed=seed) for fold in range(folds)]
    held = [numbers(parts.held_out) for parts in splits]
    assert sorted(number for fold in held for number in fold) == list(range(len(labels)))
    for parts, fold in zip(splits, held, strict=True):
        assert numbers(parts.train) == [n for n in range(len(labels)) if n not in fold]
        assert fold == sorted(fold)
    sizes = [len(fold) for fold in held]
    assert max(sizes) - min(sizes) <= 1
    for label in set(labels):
        taken = [sum(labels[number] == label for number in fold) for fold in held]
        assert max(taken) - min(taken) <= 1


def test_folds_without_labels_depend_on_the_seed() -> None:
    image_set = numbered(None, 40)
    folds = [numbers(split(image_set, KFold(4, 1), seed=seed).held_out) for seed in (0, 0, 1)]
    assert folds[0] == folds[1] != folds[2]
    parts = split(image_set, KFold(4, 1), seed=3)
    assert parts.held_out.part == "held-out of folds=4, fold=1, seed=3"


def test_one_image_is_left_out_whatever_the_seed() -> None:
    image_set = numbered([0, 1, 0, 1, 1], 5)
    for image in range(5):
        for seed in (0, 1):
            parts = split(image_set, LeaveOneOut(image), seed=seed)
            assert numbers(parts.held_out) == [image]
            assert numbers(parts.train) == [n for n in range(5) if n != image]
    with pytest.raises(UserError, match=r"`image` is 5, but must be in 0..4, there being 5 images"):
        split(image_set, LeaveOneOut(5))


def test_folds_and_images_out_of_range_are_refused() -> None:
    for folds, fold, message in (
        (1, 0, "`folds` is 1, but must be >= 2"),
        (5, 5, r"`fold` is 5, but must be in 0\.\.4"),
        (5, -1, r"`fold` is -1"),
    ):
        with pytest.raises(UserError, match=message):
            KFold(folds, fold)
    with pytest.raises(UserError, match="`image` is -1, but must be >= 0"):
        LeaveOneOut(-1)


def test_the_ways_to_split_are_known_by_name() -> None:
    assert SPLITS["fraction"]() == Fraction(held_out=0.2)
    assert SPLITS["k_fold"]() == KFold(folds=5, fold=0)
    assert SPLITS["leave_one_out"]() == LeaveOneOut(image=0)


@given(labels=labels_lists, share=st.floats(0.001, 1), seed=st.integers(0, 99))
def test_a_fraction_is_chosen_by_label_and_in_order(
    labels: list[int], share: float, seed: int
) -> None:
    image_set = numbered(labels, len(labels))
    kept = choose(image_set, Preparation(fraction=share, seed=seed))
    count = max(round(share * len(labels)), 1)
    taken = numbers(kept)
    assert len(set(taken)) == count
    assert taken == sorted(taken)
    for label in set(labels):
        wanted = labels.count(label) * count / len(labels)
        number = sum(labels[n] == label for n in taken)
        assert math.floor(wanted) <= number <= math.ceil(wanted)


def test_the_seed_chooses_and_the_part_says_so() -> None:
    image_set = numbered(None, 100)
    chosen = [choose(image_set, Preparation(count=30, seed=seed)) for seed in (0, 0, 1)]
    assert numbers(chosen[0]) == numbers(chosen[1]) != numbers(chosen[2])
    assert chosen[2].part == "count=30, seed=1"
    parts = split(chosen[2], Fraction(0.5), seed=1)
    assert parts.train.part == "train of held_out=0.5, seed=1, of count=30, seed=1"
    assert choose(image_set, Preparation(count=100)) is image_set
    assert choose(image_set, Preparation(fraction=1.0)) is image_set


def test_more_images_than_there_are_can_not_be_chosen() -> None:
    with pytest.raises(UserError, match="`count` is 101, but must be <= 100, the number of images"):
        choose(numbered(None, 100), Preparation(count=101))
