from __future__ import annotations

from typing import Any

import pytest
import torch
from noise_networks import Convolution, Zero
from torch import Generator

from models.ddpm import DDPM
from models.predictions import PREDICTIONS
from models.regression_losses import L1, MSE, Huber, MinSNR
from models.schedules import cosine, linear

SHAPE = (1, 8, 8)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_min_snr_weighs_the_error_of_x0_alike_for_every_prediction(
    prediction: str, gamma: float
) -> None:
    """Hang et al. 2023: min(SNR, gamma) times the squared error of x0, whatever is predicted."""
    torch.manual_seed(0)
    schedule = linear(200)
    family = DDPM(
        Convolution(1).double(),
        schedule,
        SHAPE,
        prediction=prediction,
        weighting=MinSNR(gamma),
    )
    t = torch.arange(0, 200, 10)
    x0 = torch.rand(20, *SHAPE, generator=seeded(), dtype=torch.float64) * 2 - 1
    epsilon = torch.randn(x0.shape, generator=seeded(1), dtype=torch.float64)
    x_t = schedule.add_noise(x0, t, epsilon)
    predicted = family.predict(x_t, t).x0
    if prediction == "mean":  # `predict` clamps it
        of_x0, of_x_t = schedule.posterior_scales(t, x_t)
        predicted = (family.network(x_t, t) - of_x_t * x_t) / of_x0
    error = (predicted - x0).square().mean(dim=(1, 2, 3))
    snr = schedule.alpha_bars[t] / (1 - schedule.alpha_bars[t])
    torch.testing.assert_close(
        family.losses(x0, t, epsilon), snr.clamp(max=gamma) * error, rtol=1e-4, atol=0
    )


def test_min_snr_has_the_papers_closed_forms() -> None:
    schedule = cosine(100)
    snr = schedule.alpha_bars / (1 - schedule.alpha_bars)
    for prediction, expected in {
        "x0": snr.clamp(max=5),
        "epsilon": snr.clamp(max=5) / snr,
        "v": snr.clamp(max=5) / (snr + 1),
    }.items():
        weights = MinSNR().weights(schedule, PREDICTIONS[prediction].error_in_x0(schedule))
        torch.testing.assert_close(weights, expected)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (MSE(), lambda e: e * e),
        (L1(), abs),
        (Huber(), lambda e: 0.5 * e * e if abs(e) < 1 else abs(e) - 0.5),
        (Huber(0.1), lambda e: 0.5 * e * e if abs(e) < 0.1 else 0.1 * (abs(e) - 0.05)),
    ],
)
def test_a_regression_is_the_mean_of_its_formula(loss: Any, expected: Any) -> None:
    prediction, target = torch.randn(2, 3, 2, 4, 4, generator=seeded(), dtype=torch.float64)
    errors = (prediction - target).flatten(1).tolist()
    means = [sum(map(expected, row)) / len(row) for row in errors]
    assert loss(prediction, target).tolist() == pytest.approx(means)
    family = DDPM(Zero(), cosine(20), (2, 4, 4), loss=loss)
    draws = family.draw(3, seeded())
    torch.testing.assert_close(
        family.losses(torch.zeros(3, 2, 4, 4), *draws), loss(torch.zeros(3, 2, 4, 4), draws[1])
    )


def test_a_value_out_of_range_is_named() -> None:
    with pytest.raises(ValueError, match=r"`delta` is 0, but must be > 0"):
        Huber(0)
    with pytest.raises(ValueError, match=r"`gamma` is -1, but must be > 0"):
        MinSNR(-1)
