from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models import build_family
from models.validation import EarlyStopping, validation_loss


def test_the_validation_loss_is_the_mean_over_images_and_shared_by_workers(
    model: dict[str, Any], digits: Tensor
) -> None:
    family, images = build_family(model, (1, 8, 8), seed=0).eval(), digits[:300]  # three chunks
    whole = validation_loss(family, images, seed=4)
    assert torch.equal(whole, validation_loss(family, images, seed=4))
    assert not torch.equal(whole, validation_loss(family, images, seed=5))
    for world in (2, 4):  # of four workers one has nothing to do
        shares = [validation_loss(family, images, 4, rank=r, world=world) for r in range(world)]
        torch.testing.assert_close(torch.stack(shares).mean(), whole)
    # The network's last layer is zero at the start: the loss is the noise's own mean square.
    assert float(whole) == pytest.approx(1.0, abs=0.05)


def test_it_stops_after_as_many_values_without_a_better_one() -> None:
    stopping = EarlyStopping(patience=2, min_delta=0.1)
    values = [1.0, 0.95, 0.8, 0.75, 0.71]  # 0.95 and 0.75 are not better by enough
    assert [stopping.stops(value) for value in values] == [False, False, False, False, True]
    assert stopping.best == 0.8


def test_a_loss_that_is_not_a_number_is_no_improvement() -> None:
    stopping = EarlyStopping(patience=1)
    assert not stopping.stops(1.0)
    assert stopping.stops(float("nan"))
