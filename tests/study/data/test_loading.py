from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from study.data import DATASETS, load_images, sources
from study.spec.errors import UserError


def test_digits_are_spread_over_all_levels() -> None:
    digits = load_images("digits", size=None)
    assert digits.images.shape == (1797, 1, 8, 8)
    assert digits.preprocessing == "none"
    assert digits.labels is not None
    assert set(digits.labels) == set(range(10))
    levels = np.unique(digits.images)
    assert len(levels) == 17
    assert (levels[0], levels[-1]) == (0, 255)


def test_mnist5k_is_parsed_once_and_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = load_images("mnist5k", size=None)
    assert first.images.shape == (5000, 1, 28, 28)
    assert first.labels is not None
    assert np.bincount(first.labels).tolist() == [500] * 10

    monkeypatch.setattr(sources, "_parse_mnist5k", None)  # not to be called again
    assert load_images("mnist5k", size=28).digest == first.digest
    # Scores name these digests: they must not differ between machines or releases.
    assert first.digest.startswith("5d07151b1d2ffe54")
    assert load_images("mnist5k", size=16).digest.startswith("018d74f54d15d028")


def test_an_unknown_data_set_is_told_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"'mnist', .* digits, mnist5k; did you mean mnist5k"):
        load_images("mnist", size=16)
    with pytest.raises(UserError, match=r"'zzz', but must be one of digits, mnist5k$"):
        load_images("zzz", size=16)


def test_the_data_sets_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        DATASETS["mine"] = sources.digits  # type: ignore[index]
