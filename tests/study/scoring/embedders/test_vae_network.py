from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from study.data import load_images
from study.scoring.embedders.vae_network import VAE, Training, negative_elbo, to_network, train_vae
from study.spec.errors import UserError

pytestmark = pytest.mark.slow

BRIEF = Training(steps=12)


def random_images(count: int, channels: int, side: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(
        0, 256, (count, channels, side, side), generator=generator, dtype=torch.uint8
    )


def weights(vae: VAE) -> Tensor:
    return torch.nn.utils.parameters_to_vector(vae.parameters())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 9, 16, 28, 33, 64, 128])
def test_any_side_goes_down_and_comes_back(channels: int, side: int) -> None:
    vae = VAE(channels, side)
    x = to_network(random_images(2, channels, side))
    mean, log_variance = vae.encode(x)
    assert mean.shape == log_variance.shape == (2, 16)
    assert vae.decode(mean).shape == x.shape
    assert max(vae.grid[1:]) <= 4


@pytest.mark.parametrize(("channels", "side"), [(1, 8), (3, 21)])
def test_training_gives_the_same_bits_whatever_was_drawn_before(channels: int, side: int) -> None:
    images = random_images(40, channels, side)
    first = train_vae(images, seed=3, training=BRIEF)
    torch.rand(17)
    again = train_vae(images, seed=3, training=BRIEF)
    other = train_vae(images, seed=4, training=BRIEF)
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_training_leaves_threads_random_state_and_grad_mode_alone() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        state = torch.get_rng_state()
        with torch.inference_mode():
            vae = train_vae(random_images(40, 1, 8), seed=0, training=BRIEF)
            assert torch.is_inference_mode_enabled()
        assert torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), state)
        assert not any(parameter.requires_grad for parameter in vae.parameters())
    finally:
        torch.set_num_threads(threads)


def test_training_teaches_it_to_reconstruct() -> None:
    images = load_images("digits").tensor()
    x = to_network(images)
    vae = train_vae(images, seed=0)
    mean, log_variance = vae.encode(x)
    error = (vae.decode(mean) - x).square().mean()
    assert error < 0.25 * (x - x.mean(dim=0)).square().mean()
    # The aggregate posterior is near the prior, which the KL term is there for.
    spread = mean.var(dim=0) + log_variance.exp().mean(dim=0)
    assert 0.5 < float(spread.mean()) < 2


def test_the_loss_is_the_evidence_bound_at_the_best_variance() -> None:
    vae = VAE(1, 8)
    x, noise = to_network(random_images(5, 1, 8)), torch.randn(5, 16)
    with torch.no_grad():
        mean, log_variance = vae.encode(x)
        posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        prior = torch.distributions.Normal(torch.zeros(16), torch.ones(16))
        kl = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)  # [B]
        x_mean = vae.decode(posterior.mean + posterior.stddev * noise)

        def bound(variance: Tensor) -> Tensor:
            likelihood = torch.distributions.Normal(x_mean, variance.sqrt())
            return kl.mean() - likelihood.log_prob(x).sum(dim=(1, 2, 3)).mean()

        best = (x_mean - x).square().mean()
        constant = 64 / 2 * (1 + torch.log(torch.tensor(2 * torch.pi)))
        assert torch.allclose(negative_elbo(vae, x, noise) + constant, bound(best), rtol=1e-4)
        assert bound(best) < min(bound(best * 1.1), bound(best / 1.1))


def test_images_that_are_all_the_same_do_no_harm() -> None:
    vae = train_vae(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), seed=0)
    assert weights(vae).isfinite().all()


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 2, 16, 16), "2 channels"),
        ((2, 1, 7, 7), "side 7"),
        ((2, 1, 129, 129), "side 129"),
        ((2, 1, 16, 17), "16x17"),
    ],
)
def test_unfit_images_are_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserError, match=f"The VAE was given .*{message}"):
        train_vae(torch.zeros(shape, dtype=torch.uint8), seed=0)


def test_every_pixel_counts() -> None:
    for side in (8, 19):
        vae = VAE(1, side)
        x = torch.zeros(1, 1, side, side, requires_grad=True)
        vae.encode(x)[0].square().sum().backward()
        assert x.grad is not None
        corners = itertools.product((0, -1), repeat=2)
        assert all(x.grad[0, 0, row, column] != 0 for row, column in corners)
