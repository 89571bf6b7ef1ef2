"""A family from a plain mapping, such as the `model:` part of a filled-in study file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from models.ddpm import DDPM, VARIANCES
from models.family import Family
from models.gan import GAN
from models.gan_losses import GAN_LOSSES, PENALTIES
from models.import_path import make_object
from models.morphing import Morphing
from models.networks import DISCRIMINATORS, GENERATORS, NETWORKS
from models.options import T, call_named, short_form
from models.regression_losses import REGRESSIONS, WEIGHTINGS
from models.schedules import SCHEDULES, Schedule
from models.starts import MorphSet

Settings = str | Mapping[str, Any]
"""`{kind: NAME, ...}` with options, or the name alone."""

Shape = tuple[int, int, int]


def build_family(
    model: Mapping[str, Any],
    image_shape: Shape,
    seed: int,
    *,
    towards: Tensor | MorphSet | None = None,
) -> Family:
    """Build a family, with freshly initialised weights, on the CPU.

    The weights depend on `seed` alone: not on the device they go to later, nor on random numbers
    drawn before, and no random state of the process is changed.

    Args:
        model: `family` and its settings: the keyword arguments of the functions in `FAMILIES`, with
            every part (`schedule`, `network`, `loss`, ...) as `Settings`.
        image_shape: (C, H, W) of the images.
        seed: Chooses the initial weights.
        towards: The images that a morphing model degrades towards, uint8 [M, C, H, W]; a `MorphSet`
            keeps the mixtures fitted to them from one family to the next.

    Raises:
        ValueError: If a name or a key is unknown, a key is missing, or a value is out of its range.
    """
    if "family" not in model:
        raise ValueError("`model.family` is missing")
    settings = {name: value for name, value in model.items() if name != "family"}
    fixed: dict[str, Any] = {"image_shape": image_shape}
    if model["family"] == "morphing":
        fixed["towards"] = towards
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone: nothing else is drawn from
        return call_named(
            FAMILIES, model["family"], settings, name_path="model.family", path="model", **fixed
        )


def _ddpm(
    *,
    image_shape: Shape,
    schedule: Settings,
    network: Settings,
    timesteps: int = 1000,
    prediction: str = "epsilon",
    loss: Settings = "mse",
    weighting: Settings = "uniform",
    variance: Settings = "fixed",
) -> Family:
    form = _part(VARIANCES, variance, "variance")
    return DDPM(
        _network(network, image_shape, form.outputs * image_shape[0]),
        _schedule(schedule, timesteps),
        image_shape,
        prediction=prediction,
        loss=_part(REGRESSIONS, loss, "loss"),
        weighting=_part(WEIGHTINGS, weighting, "weighting"),
        variance=form,
    )


def _morphing(
    *,
    image_shape: Shape,
    towards: Tensor | MorphSet | None,
    schedule: Settings,
    network: Settings,
    timesteps: int = 1000,
    loss: Settings = "mse",
) -> Family:
    if towards is None:
        raise ValueError("A morphing model needs the images `towards` which it degrades others")
    return Morphing(
        _network(network, image_shape, image_shape[0]),
        _schedule(schedule, timesteps),
        image_shape,
        towards,
        loss=_part(REGRESSIONS, loss, "loss"),
    )


def _gan(
    *,
    image_shape: Shape,
    generator: Settings = "dcgan",
    discriminator: Settings = "dcgan",
    latent: int = 100,
    loss: Settings = "non_saturating",
    penalty: Settings = "none",
    critic_steps: int = 1,
    unroll: int = 0,
    unroll_rate: float = 0.0003,
    discriminator_rate: float = 1.0,
) -> Family:
    return GAN(
        _part(GENERATORS, generator, "generator", image_shape=image_shape, latent=latent),
        _part(DISCRIMINATORS, discriminator, "discriminator", image_shape=image_shape),
        image_shape,
        latent=latent,
        loss=_part(GAN_LOSSES, loss, "loss"),
        penalty=_part(PENALTIES, penalty, "penalty"),
        critic_steps=critic_steps,
        unroll=unroll,
        unroll_rate=unroll_rate,
        discriminator_rate=discriminator_rate,
    )


def _custom(
    *, image_shape: Shape, path: str, options: Mapping[str, Any] = MappingProxyType({})
) -> Family:
    family = make_object(path, "model.path", image_shape, **options)
    if not isinstance(family, Family):
        raise ValueError(
            f"`model.path` is {path!r}, which makes a {type(family).__name__}, "
            "but must make a models.family.Family"
        )
    return family


FAMILIES: Mapping[str, Callable[..., Family]] = MappingProxyType(
    {"ddpm": _ddpm, "morphing": _morphing, "gan": _gan, "custom": _custom}
)
"""The families by name: each is called with `image_shape` and the other keys of its mapping."""


def _schedule(settings: Settings, timesteps: int) -> Schedule:
    return _part(SCHEDULES, settings, "schedule", timesteps=timesteps)


def _network(settings: Settings, image_shape: Shape, channels: int) -> nn.Module:
    """A denoiser that gives `channels` channels."""
    kind, options = short_form(settings, "model.network")
    if kind == "custom":
        return _custom_network(image_shape, channels, **options)
    return _part(NETWORKS, settings, "network", image_shape=image_shape, out_channels=channels)


def _custom_network(
    image_shape: Shape,
    channels: int,
    path: str,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> nn.Module:
    # Only a model that learns its variance asks for other channels than the images have.
    extra = {} if channels == image_shape[0] else {"out_channels": channels}
    network = make_object(path, "model.network.path", image_shape, **options, **extra)
    if not isinstance(network, nn.Module):
        raise ValueError(
            f"`model.network.path` is {path!r}, which makes a {type(network).__name__}, "
            "but must make a torch.nn.Module"
        )
    return network


def _part(table: Mapping[str, Callable[..., T]], settings: Settings, key: str, **fixed: Any) -> T:
    """The part of the model under a key."""
    path = f"model.{key}"
    kind, options = short_form(settings, path)
    return call_named(table, kind, options, name_path=f"{path}.kind", path=path, **fixed)
