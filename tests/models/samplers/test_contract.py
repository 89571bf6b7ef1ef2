"""What every sampler of diffusion promises."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from denoisers import Gaussian, Toy
from torch import Generator

from models.samplers import (
    SAMPLERS,
    Spacing,
    respaced,
)
from models.schedules import SCHEDULES, linear

SHAPE = (3, 1, 4, 4)


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_with_the_exact_denoiser_the_samples_have_the_datas_moments(name: str, kind: str) -> None:
    model = Gaussian(SCHEDULES[kind](1000), mean=0.3, deviation=0.2)
    x_T = torch.randn(32, 1, 16, 16, generator=seeded())
    *_, last = SAMPLERS[name](model, x_T, steps=1000, generator=seeded(1))
    assert float(last.x.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(last.x.std()) == pytest.approx(0.2, rel=0.05)


@pytest.mark.parametrize("name", sorted(SAMPLERS))
@pytest.mark.parametrize("spacing", ["trailing", "leading"])
@pytest.mark.parametrize("steps", [1, 6, 40])
def test_a_sampler_yields_each_step_and_ends_in_the_clean_images(
    name: str, spacing: Spacing, steps: int
) -> None:
    x_T = torch.randn(SHAPE, generator=seeded())
    states = list(
        SAMPLERS[name](Toy(linear(40)), x_T, steps=steps, generator=seeded(), spacing=spacing)
    )
    assert [state.t for state in states] == respaced(40, steps, spacing)
    torch.testing.assert_close(states[-1].x, states[-1].x0)
    assert states[-1].x.abs().max() <= 1
    assert not states[-1].x.requires_grad


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ddim", {"steps": 11}, r"`steps` is 11, but must be in 1 \.\. 10"),
        ("ancestral", {"steps": 0}, r"`steps` is 0, but must be in 1 \.\. 10"),
        ("ddim", {"steps": 5, "eta": 1.5}, r"`eta` is 1.5, but must be in \[0, 1\]"),
        ("ddim", {"steps": 5, "eta": math.nan}, "`eta` is nan"),
        ("ancestral", {"steps": 5, "variance": "learned"}, "the model has learned no variance"),
        ("ancestral", {"steps": 5, "variance": "small"}, "`variance` is 'small', but must be"),
        ("dpm_solver", {"steps": 11}, r"`steps` is 11, but must be in 1 \.\. 10"),
        ("ddim", {"steps": 5, "spacing": "even"}, "`spacing` is 'even'"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_rule(
    name: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        next(SAMPLERS[name](Toy(linear(10)), torch.zeros(SHAPE), generator=seeded(), **options))
