from __future__ import annotations

import pytest
import torch
from noise_networks import Convolution, Knowing
from torch import Generator

from models.ddpm import DDPM
from models.predictions import PREDICTIONS
from models.schedules import SCHEDULES, linear

SHAPE = (1, 8, 8)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_perfect_network_has_no_loss_and_knows_image_and_noise(
    prediction: str, kind: str
) -> None:
    schedule = SCHEDULES[kind](50)
    x0 = torch.rand(1, *SHAPE, generator=seeded(2)) * 2 - 1
    family = DDPM(Knowing(schedule, x0, prediction), schedule, SHAPE, prediction=prediction)
    t = torch.arange(49)  # at T-1 of the cosine, beta is clipped: nothing of x0 is left to see
    epsilon = torch.randn(49, *SHAPE, generator=seeded())
    losses = family.losses(x0.expand(49, -1, -1, -1), t, epsilon)
    torch.testing.assert_close(losses, torch.zeros(49), atol=1e-8, rtol=0)
    predicted = family.predict(schedule.add_noise(x0.expand_as(epsilon), t, epsilon), t)
    torch.testing.assert_close(predicted.x0, x0.expand_as(epsilon), atol=5e-3, rtol=0)
    torch.testing.assert_close(predicted.epsilon, epsilon, atol=5e-3, rtol=0)
    assert predicted.variance_share is None


@pytest.mark.parametrize("prediction", sorted(PREDICTIONS))
def test_image_and_noise_make_up_the_noisy_image_whatever_the_network_says(
    prediction: str,
) -> None:
    torch.manual_seed(0)
    family = DDPM(Convolution(1), linear(40), SHAPE, prediction=prediction)
    x_t, t = torch.randn(40, *SHAPE, generator=seeded()), torch.arange(40)
    predicted = family.predict(x_t, t)
    again = family.schedule.add_noise(predicted.x0, t, predicted.epsilon)
    torch.testing.assert_close(again, x_t, rtol=1e-4, atol=1e-4)


def test_the_mean_at_the_first_timestep_is_the_image() -> None:
    family = DDPM(Convolution(1), linear(40), SHAPE, prediction="mean")
    x_t, t = torch.randn(4, *SHAPE, generator=seeded()), torch.zeros(4, dtype=torch.long)
    torch.testing.assert_close(family.predict(x_t, t).x0, family.network(x_t, t).clamp(-1, 1))
