from __future__ import annotations

import pytest
import torch
from torch import nn

from models.networks.embeddings import TimestepEmbedding


def test_timesteps_have_embeddings_of_their_own() -> None:
    torch.manual_seed(0)
    embedding = TimestepEmbedding(32, 64)(torch.arange(1000))
    assert embedding.shape == (1000, 64)
    distances = torch.cdist(embedding, embedding) + torch.eye(1000)
    assert distances.min() > 1e-4


@pytest.mark.parametrize("max_period", [10_000.0, 100.0])
def test_sinusoids_run_from_a_wavelength_of_2_pi_to_the_longest(max_period: float) -> None:
    embedding = TimestepEmbedding(8, 8, max_period=max_period)
    embedding.mlp = nn.Sequential(nn.Identity())
    t = torch.tensor([0, 1, 7, 250])
    sine, cosine = embedding(t).chunk(2, dim=1)
    # omega_i = max_period^(-i / 3) for four pairs
    angles = t[:, None] * torch.tensor([max_period ** (-i / 3) for i in range(4)])
    torch.testing.assert_close(sine, angles.sin(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(cosine, angles.cos(), rtol=1e-4, atol=1e-4)


def test_timesteps_may_be_fractions_and_a_single_pair_is_enough() -> None:
    embedding = TimestepEmbedding(2, 8)
    assert embedding(torch.tensor([0.5])).shape == (1, 8)
    torch.testing.assert_close(embedding(torch.tensor([3])), embedding(torch.tensor([3.0])))
