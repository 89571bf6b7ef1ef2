from __future__ import annotations

from typing import Any

import pytest
import torch

from models import DDPM, Schedule, UNet, build_family
from models.schedules import cosine


def test_the_mapping_says_what_is_built(model: dict[str, Any]) -> None:
    model["schedule"] = {"kind": "cosine", "offset": 0.01, "max_beta": 0.5}
    family = build_family(model | {"prediction": "epsilon", "loss": "mse"}, (1, 8, 8), seed=0)
    assert isinstance(family, DDPM)
    assert family.image_shape == (1, 8, 8)
    assert isinstance(family.schedule, Schedule)
    assert torch.equal(family.schedule.betas, cosine(20, offset=0.01, max_beta=0.5).betas)
    assert isinstance(family.network, UNet)
    assert len(family.network.down_blocks) == 1


def test_the_weights_depend_on_the_seed_alone(model: dict[str, Any]) -> None:
    def weights(seed: int) -> torch.Tensor:
        family = build_family(model, (1, 8, 8), seed)
        return torch.cat([p.detach().flatten() for p in family.parameters()])

    torch.manual_seed(1)
    first, state = weights(5), torch.get_rng_state()
    torch.manual_seed(2)
    torch.rand(3)
    assert torch.equal(weights(5), first)
    assert not torch.equal(weights(6), first)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)  # the process's own randomness is untouched


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "vae"}, "`model.family` is 'vae', but must be one of ddpm"),
        ({"family": None}, "`model.family` is missing"),
        ({"steps": 3}, "`model.steps` is unknown"),
        ({"image_shape": (1, 2, 2)}, "`model.image_shape` is unknown"),
        ({"timesteps": None}, "`model.timesteps` is missing"),
        ({"prediction": "v"}, "`model.prediction` is 'v', but must be 'epsilon'"),
        ({"loss": "huber"}, "`model.loss` is 'huber', but must be 'mse'"),
        (
            {"schedule": {"kind": "sigmoid"}},
            "`model.schedule.kind` is 'sigmoid', but must be one of",
        ),
        ({"schedule": {"offset": 0.1}}, "`model.schedule.kind` is missing"),
        ({"schedule": {"kind": "cosine", "beta": 0.1}}, "`model.schedule.beta` is unknown"),
        ({"schedule": {"kind": "linear", "beta_end": 2}}, "`beta_end` is 2, but must be in"),
        ({"network": {"kind": "mlp"}}, "`model.network.kind` is 'mlp', but must be one of unet"),
        ({"network": {"kind": "unet"}}, "`model.network.channels` is missing"),
        ({"network": {"kind": "unet", "channels": [8, 8], "depth": 3}}, "depth` is unknown"),
        ({"network": {"kind": "unet", "channels": [8] * 5}}, "must be divisible by 16"),
    ],
)
def test_a_mistake_is_named_with_its_rule(
    model: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    changed = {key: value for key, value in (model | changes).items() if value is not None}
    with pytest.raises(ValueError, match=message):
        build_family(changed, (1, 8, 8), seed=0)
