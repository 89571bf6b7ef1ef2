"""A family from a plain mapping, such as the `model:` part of a filled-in study file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch

from models.ddpm import DDPM
from models.family import Family
from models.networks import NETWORKS
from models.options import call_named
from models.schedules import SCHEDULES


def build_family(model: Mapping[str, Any], image_shape: tuple[int, int, int], seed: int) -> Family:
    """Build a family, with freshly initialised weights, on the CPU.

    The weights depend on `seed` alone: not on the device they go to later, nor on random numbers
    drawn before, and no random state of the process is changed.

    Args:
        model: `family` and its settings. For `ddpm`: `timesteps`, `schedule` (`kind` and its
            options), `network` (`kind` and its options), and, as there is one of each, optionally
            `prediction: epsilon` and `loss: mse`.
        image_shape: (C, H, W) of the images.
        seed: Chooses the initial weights.

    Raises:
        ValueError: If a name or a key is unknown, a key is missing, or a value is out of its range.
    """
    kind, settings = _split(model, "family", "model")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return call_named(
            FAMILIES,
            kind,
            settings,
            name_path="model.family",
            path="model",
            image_shape=image_shape,
        )


def _ddpm(
    *,
    image_shape: tuple[int, int, int],
    timesteps: int,
    schedule: Mapping[str, Any],
    network: Mapping[str, Any],
    prediction: str = "epsilon",
    loss: str = "mse",
) -> Family:
    if prediction != "epsilon":
        raise ValueError(
            f"The value of `model.prediction` is {prediction!r}, but must be 'epsilon'"
        )
    if loss != "mse":
        raise ValueError(f"The value of `model.loss` is {loss!r}, but must be 'mse'")
    kind, options = _split(schedule, "kind", "model.schedule")
    process = call_named(
        SCHEDULES,
        kind,
        options,
        name_path="model.schedule.kind",
        path="model.schedule",
        timesteps=timesteps,
    )
    kind, options = _split(network, "kind", "model.network")
    denoiser = call_named(
        NETWORKS,
        kind,
        options,
        name_path="model.network.kind",
        path="model.network",
        image_shape=image_shape,
    )
    return DDPM(denoiser, process, image_shape)


FAMILIES: Mapping[str, Callable[..., Family]] = MappingProxyType({"ddpm": _ddpm})
"""The families by name: each is called with `image_shape` and the other keys of its mapping."""


def _split(mapping: Mapping[str, Any], key: str, path: str) -> tuple[str, dict[str, Any]]:
    """The value of `key`, and everything else."""
    if key not in mapping:
        raise ValueError(f"`{path}.{key}` is missing")
    return mapping[key], {name: value for name, value in mapping.items() if name != key}
