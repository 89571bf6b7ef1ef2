"""A small convolutional VAE, trained on a study's own images: features for the Fréchet distance.

Inception knows photographs of 299 x 299 pixels, and takes seconds for ten images on a CPU. The
posterior mean of a VAE (Kingma & Welling 2014, "Auto-Encoding Variational Bayes") that has seen the
training images takes milliseconds, and is nearly Gaussian, as the Fréchet distance would have it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from study.scoring.deterministic_training import reproducible
from study.spec.errors import UserError

VERSION = 1
"""Goes up when the network or its training changes, so that no old weights pass for new ones."""

LATENT_DIM = 16

_SIDES = (8, 128)
_CHANNELS = (1, 3)

# The mean squared error of rounding to 256 levels, in [-1, 1]: no reconstruction is more exact.
_ROUNDING_ERROR = (2 / 255) ** 2 / 12


@dataclass(frozen=True)
class Training:
    """How long and how fast to train. Counted in steps, so that a larger set takes no longer."""

    steps: int = 400
    batch_size: int = 128
    learning_rate: float = 2e-3


class VAE(nn.Module):
    """Encoder and decoder for square images of one shape, through a grid of 4 x 4 or less.

    No layer normalises: that would hide contrast and noise, which a score has to see.

    Args:
        channels: 1 or 3.
        side: Height and width in pixels, in 8..128.
        latent_dim: Dimension of the latent space.

    Raises:
        UserError: If `channels` or `side` is out of its range.
    """

    def __init__(self, channels: int, side: int, latent_dim: int = LATENT_DIM) -> None:
        """Build the network with random weights, drawn from torch's global generator."""
        super().__init__()
        if channels not in _CHANNELS:
            raise UserError(f"The VAE was given {channels} channels, but takes 1 or 3")
        if not _SIDES[0] <= side <= _SIDES[1]:
            raise UserError(
                f"The VAE was given images of side {side}, but takes {_SIDES[0]} to {_SIDES[1]}"
            )
        self.side = side
        stages = math.ceil(math.log2(side / 4))
        # 64 channels at the bottom, half as many on each finer grid, where a channel costs more.
        widths = [channels, *(max(64 >> stage, 16) for stage in reversed(range(stages)))]
        bottom = math.ceil(side / 2**stages)
        self.grid = (widths[-1], bottom, bottom)

        encoder: list[nn.Module] = []
        decoder: list[nn.Module] = []
        for fine, coarse in pairwise(widths):
            encoder += [nn.Conv2d(fine, coarse, 3, stride=2, padding=1), nn.SiLU()]
            up = [nn.SiLU(), nn.Conv2d(coarse, 4 * fine, 3, padding=1), nn.PixelShuffle(2)]
            decoder = up + decoder
        hidden = math.prod(self.grid)
        self.encoder = nn.Sequential(*encoder, nn.Flatten(), nn.Linear(hidden, 2 * latent_dim))
        self.from_latent = nn.Linear(latent_dim, hidden)
        self.decoder = nn.Sequential(*decoder)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), both [B, latent_dim]; x in [-1, 1], [B, C, H, W]."""
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        return mean, log_variance

    def decode(self, z: Tensor) -> Tensor:
        """Mean of p(x | z), [B, C, H, W], in about [-1, 1]; z [B, latent_dim]."""
        x: Tensor = self.decoder(self.from_latent(z).unflatten(1, self.grid))
        return x[..., : self.side, : self.side]  # an odd side was rounded up on its way down


def negative_elbo(vae: VAE, x: Tensor, noise: Tensor) -> Tensor:
    """The negative evidence lower bound of one image in nats, up to a constant: a scalar.

    p(x | z) is Gaussian, with one variance for all pixels, which is put at its optimum, the mean
    squared error: the reconstruction term becomes D/2 log MSE (Rybkin et al. 2021, "Simple and
    Effective VAE Training with Calibrated Decoders", section 3.2). So it finds its own balance with
    the KL divergence, on any kind of image, where a fixed variance would need tuning.

    Args:
        vae: The model.
        x: Images in [-1, 1], [B, C, H, W].
        noise: Standard normal, [B, latent_dim].
    """
    mean, log_variance = vae.encode(x)
    z = mean + (0.5 * log_variance).exp() * noise  # [B, latent_dim]
    error = functional.mse_loss(vae.decode(z), x) + _ROUNDING_ERROR
    kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
    return 0.5 * x[0].numel() * error.log() + kl


def train_vae(images: Tensor, *, seed: int, training: Training | None = None) -> VAE:
    """Train a VAE on the CPU, in one thread: the same images and seed give the same bits.

    That holds for one kind of processor and one release of torch. The global random state, and the
    number of threads, are left as they were.

    Args:
        images: uint8 in 0..255, [N, C, H, W], square, at least one.
        seed: Decides the first weights, the batches and the noise.
        training: How long and how fast; by default, what `fd_vae` is defined by.

    Raises:
        UserError: If the images are not square, or of a size or number of channels unfit for `VAE`.
    """
    training = training or Training()
    _, channels, height, width = images.shape
    if height != width:
        raise UserError(f"The VAE was given images of {height}x{width}, but takes square ones")
    with reproducible(seed):
        vae = VAE(channels, height)
        generator = torch.Generator("cpu").manual_seed(seed)
        optimizer = torch.optim.Adam(vae.parameters(), training.learning_rate)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, training.learning_rate, total_steps=training.steps
        )
        for _ in range(training.steps):
            batch = torch.randint(len(images), (training.batch_size,), generator=generator)
            noise = torch.randn(training.batch_size, LATENT_DIM, generator=generator)
            loss = negative_elbo(vae, to_network(images[batch]), noise)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return vae.eval().requires_grad_(False)


def to_network(images: Tensor) -> Tensor:
    """Levels 0..255 as float32 in [-1, 1]."""
    return images.float() / 127.5 - 1
