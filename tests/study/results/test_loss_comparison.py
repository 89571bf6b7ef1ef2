from __future__ import annotations

from typing import Any

import pytest

from study.results.loss_comparison import incomparable_losses

DDPM = {
    "family": "ddpm",
    "timesteps": 100,
    "schedule": {"kind": "linear", "beta_start": 1e-4, "beta_end": 0.02, "scaled": False},
    "loss": {"kind": "mse"},
    "prediction": "epsilon",
    "network": {"kind": "cnn"},
}
GAN = {"family": "gan", "loss": "hinge", "latent": 8, "generator": {"kind": "dcgan"}}


def trial(model: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"model": model, "data": {"edges": "none", "seed": 0, **data}, "train": {}}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"timesteps": 50}, "timesteps"),
        ({"schedule": {"kind": "cosine", "offset": 0.008}}, "schedule"),
        ({"schedule": {**DDPM["schedule"], "scaled": True}}, "scaled"),  # type: ignore[dict-item]
        ({"loss": {"kind": "huber", "delta": 1.0}}, "loss"),
        ({"prediction": "v"}, "prediction"),
    ],
)
def test_what_changes_a_loss(change: dict[str, Any], names: str) -> None:
    why = incomparable_losses([trial(DDPM), trial({**DDPM, **change}), trial(DDPM)])
    assert why == f"losses do not compare between trials: {names} differ"


def test_what_changes_no_loss() -> None:
    other = trial({**DDPM, "network": {"kind": "unet"}}, seed=1)
    assert incomparable_losses([trial(DDPM), other]) == ""
    assert incomparable_losses([trial(GAN)]) == ""
    assert incomparable_losses([]) == ""


def test_other_images_have_other_losses() -> None:
    assert "edges differ" in incomparable_losses([trial(DDPM), trial(DDPM, edges="sobel")])


def test_families_and_gans() -> None:
    assert incomparable_losses([trial(GAN), trial(DDPM)]).endswith("families ddpm, gan")
    assert "a discriminator of its own" in incomparable_losses([trial(GAN), trial(GAN)])
