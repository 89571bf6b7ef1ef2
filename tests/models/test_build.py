from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from models import (
    DDPM,
    GAN,
    Family,
    Morphing,
    Schedule,
    TrainingOptions,
    TrainingState,
    build_family,
    generate,
    train,
)
from models.networks import UNet
from models.regression_losses import Huber
from models.schedules import cosine

GAN_MODEL = {
    "family": "gan",
    "latent": 8,
    "generator": {"kind": "dcgan", "channels": [8, 8]},
    "discriminator": {"kind": "dcgan", "channels": [8, 8], "norm": "none"},
    "loss": "wasserstein",
    "penalty": {"kind": "gradient", "weight": 5.0},
    "critic_steps": 2,
}


def test_the_mapping_says_what_is_built(model: dict[str, Any]) -> None:
    model["schedule"] = {"kind": "cosine", "offset": 0.01, "max_beta": 0.5}
    loss = {"kind": "huber", "delta": 0.5}
    family = build_family(model | {"prediction": "v", "loss": loss}, (1, 8, 8), seed=0)
    assert isinstance(family, DDPM)
    assert family.image_shape == (1, 8, 8)
    assert isinstance(family.schedule, Schedule)
    assert torch.equal(family.schedule.betas, cosine(20, offset=0.01, max_beta=0.5).betas)
    assert isinstance(family.network, UNet)
    assert len(family.network.down_blocks) == 1
    assert family.loss == Huber(delta=0.5)


def test_a_model_that_learns_its_variance_gets_twice_the_channels(model: dict[str, Any]) -> None:
    family = build_family(model | {"variance": "learned"}, (3, 8, 8), seed=0)
    assert isinstance(family, DDPM)
    assert family.network(torch.zeros(2, 3, 8, 8), torch.zeros(2)).shape == (2, 6, 8, 8)


def test_a_gan_is_built_of_its_two_players() -> None:
    family = build_family(GAN_MODEL, (3, 16, 16), seed=0)
    assert isinstance(family, GAN)
    assert family.players().keys() == {"generator", "discriminator"}
    assert [list(family.phases(step)) for step in range(4)].count(["discriminator"]) == 2


def test_morphing_needs_the_images_to_morph_towards(model: dict[str, Any]) -> None:
    morphing = {**model, "family": "morphing"}
    with pytest.raises(ValueError, match="needs the images `towards`"):
        build_family(morphing, (1, 8, 8), seed=0)
    towards = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    assert isinstance(build_family(morphing, (1, 8, 8), seed=0, towards=towards), Morphing)


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


def test_a_network_and_a_family_by_import_path(
    model: dict[str, Any], own_module: str, digits: Tensor
) -> None:
    network = {"kind": "custom", "path": f"{own_module}:Flat", "options": {"bias": 0.5}}
    built: list[Family] = [
        build_family(model | {"network": network}, (1, 8, 8), seed=0),
        build_family(
            {"family": "custom", "path": f"{own_module}:small_ddpm", "options": {"timesteps": 10}},
            (1, 8, 8),
            seed=0,
        ),
    ]
    assert float(built[0].network.scale.detach()) == 0.5  # type: ignore[union-attr]
    for family in built:
        state = TrainingState(family, TrainingOptions(16, 0.1, seed=0))
        list(train(state, digits[:32], epochs=1))
        images = generate(state.ema, 3, sampler=family.default_sampler, steps=5, seed=0)
        assert images.shape == (3, 1, 8, 8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"family": "vae"}, "`model.family` is 'vae', but must be one of ddpm"),
        ({"family": None}, "`model.family` is missing"),
        ({"steps": 3}, "`model.steps` is unknown"),
        ({"image_shape": (1, 2, 2)}, "`model.image_shape` is unknown"),
        ({"prediction": "score"}, "`prediction` is 'score', but must be one of"),
        ({"loss": "l3"}, "`model.loss.kind` is 'l3', but must be one of mse, l1, huber"),
        ({"loss": {"kind": "mse", "delta": 1.0}}, "`model.loss.delta` is unknown"),
        ({"schedule": None}, "`model.schedule` is missing"),
        (
            {"schedule": {"kind": "quartic"}},
            "`model.schedule.kind` is 'quartic', but must be one of",
        ),
        ({"schedule": {"offset": 0.1}}, "`model.schedule` is {'offset': 0.1}, but must be a kind"),
        ({"schedule": {"kind": "cosine", "beta": 0.1}}, "`model.schedule.beta` is unknown"),
        ({"schedule": {"kind": "linear", "beta_end": 2}}, "`beta_end` is 2, but must be in"),
        ({"network": {"kind": "mlp"}}, "`model.network.kind` is 'mlp', but must be one of unet"),
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
