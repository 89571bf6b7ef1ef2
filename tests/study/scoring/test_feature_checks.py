from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from study.scoring.feature_checks import check_features
from study.spec.errors import UserError

FINE = torch.zeros(3, 4)


def with_one(value: float) -> Tensor:
    features = FINE.clone()
    features[2, 3] = value
    return features


def test_sets_of_any_two_sizes_pass() -> None:
    check_features(FINE, torch.ones(1, 4))
    check_features(torch.ones(2, 4), FINE, least=2)


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        (torch.zeros(4), r"of shape \[4\], but must be \[N >= 2, d\]"),
        (torch.zeros(3, 4, 1), r"of shape \[3, 4, 1\], but must be \[N >= 2, d\]"),
        (torch.zeros(1, 4), r"of shape \[1, 4\], but must be \[N >= 2, d\]"),
        (with_one(math.nan), "hold NaN or infinity, but must be finite"),
        (with_one(-math.inf), "hold NaN or infinity, but must be finite"),
    ],
)
def test_either_set_is_looked_at(wrong: Tensor, rule: str) -> None:
    for pair in ((wrong, FINE), (FINE, wrong)):
        with pytest.raises(UserError, match=rule):
            check_features(*pair, least=2)


def test_both_sets_are_of_one_space() -> None:
    with pytest.raises(UserError, match="have 4 and 5 dimensions, but must have the same number"):
        check_features(FINE, torch.zeros(3, 5))
