"""Generative adversarial networks (Goodfellow et al. 2014; unrolled: Metz et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from models.family import Augment, Family, State, as_they_are
from models.gan_losses import GANLoss, NonSaturating, Penalty
from models.unrolling import Critic


class GAN(Family):
    """A generator of images, and a discriminator that learns to tell them from real ones.

    In each batch the discriminator takes a step, and in every `critic_steps`-th one the generator
    does after it, so that images seen are real ones seen.

    With `unroll` the generator's loss is taken at the discriminator that `unroll` plain gradient
    steps from the present one lead to, and its gradient goes through those steps (Metz et al. 2017,
    eqs. 8 to 11): it cannot over-optimise for one discriminator. They use the batch's real images,
    latents of their own, and all of loss and penalty; they are undone afterwards. In a zero-sum
    game the loss then has the term of the real images too, which those steps make depend on the
    generator.

    Single images are not independent in a loss with batch norm or `unroll`: each worker then
    normalises and unrolls with its own share of the batch.

    Args:
        generator: Maps z [B, latent] to images [B, C, H, W] in [-1, 1].
        discriminator: Maps images [B, C, H, W] to logits [B]. Its buffers (averages of batch norm,
            iterations of spectral norm) move in its own phase alone.
        image_shape: (C, H, W) of the images.
        latent: Length of the latent vectors, which are standard normal.
        loss: What both players minimise.
        penalty: What bounds the discriminator.
        critic_steps: Batches of the discriminator for one of the generator, >= 1.
        unroll: Steps of the discriminator that the generator looks ahead, >= 0.
        unroll_rate: Learning rate of those, > 0. Plain steps go farther than Adam's at the same
            rate: with 3 of them, 0.0003 came closer to digits than no unrolling, and 0.001 stayed
            far from them (8x8, 400 batches, each of 4 seeds).
        discriminator_rate: Factor on the discriminator's learning rate, > 0.

    Raises:
        ValueError: If a value is out of its range, or the penalty is one of single images, and the
            discriminator's batch norm would mix them.
    """

    default_sampler = "generator"
    validates = False

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        image_shape: tuple[int, int, int],
        *,
        latent: int = 100,
        loss: GANLoss | None = None,
        penalty: Penalty | None = None,
        critic_steps: int = 1,
        unroll: int = 0,
        unroll_rate: float = 0.0003,
        discriminator_rate: float = 1.0,
    ) -> None:
        """Keep the parts."""
        super().__init__(image_shape)
        for name, count, least in (
            ("latent", latent, 1),
            ("critic_steps", critic_steps, 1),
            ("unroll", unroll, 0),
        ):
            if count < least:
                raise ValueError(f"The value of `{name}` is {count}, but must be >= {least}")
        for name, rate in (
            ("unroll_rate", unroll_rate),
            ("discriminator_rate", discriminator_rate),
        ):
            if not 0 < rate < math.inf:
                raise ValueError(f"The value of `{name}` is {rate}, but must be > 0")
        self.generator = generator
        self.discriminator = discriminator
        self.latent = latent
        self.loss = loss or NonSaturating()
        self.penalty = penalty or Penalty()
        self.critic_steps = critic_steps
        self.unroll = unroll
        self.unroll_rate = unroll_rate
        self.discriminator_rate = discriminator_rate
        self._mixes_images = any(isinstance(m, _BatchNorm) for m in discriminator.modules())
        if self.penalty.single_images and self._mixes_images:
            raise ValueError(
                "The value of `penalty` is 'gradient', which needs a discriminator without batch "
                "norm: its `norm` must be 'layer' or 'none'"
            )

    def players(self) -> dict[str, tuple[nn.Module, float]]:
        """The two players, by their phases."""
        return {
            "discriminator": (self.discriminator, self.discriminator_rate),
            "generator": (self.generator, 1.0),
        }

    def phases(self, step: int) -> Sequence[str]:
        """The discriminator's, and in every `critic_steps`-th batch the generator's after it."""
        if (step + 1) % self.critic_steps:
            return ("discriminator",)
        return ("discriminator", "generator")

    def draw(
        self, count: int, generator: Generator, phase: str = "discriminator"
    ) -> tuple[Tensor, ...]:
        """Latents, and what the discriminator's steps need.

        Returns:
            For the discriminator: latents [count, latent], shares of real images for the penalty
            [count]. For the generator: latents, and with `unroll` those of each inner step
            [count, unroll, latent], and their shares [count, unroll].

        Raises:
            ValueError: If the phase is neither.
        """
        _check_phase(phase)
        z, device = self.latents(count, generator), generator.device
        if phase == "discriminator":
            return z, torch.rand(count, generator=generator, device=device)
        if self.unroll == 0:
            return (z,)
        size = (count, self.unroll)
        inner_z = torch.randn(*size, self.latent, generator=generator, device=device)
        return z, inner_z, torch.rand(size, generator=generator, device=device)

    def losses(
        self,
        x0: Tensor,
        *draws: Tensor,
        phase: str = "discriminator",
        augment: Augment = as_they_are,
    ) -> Tensor:
        """The loss of the phase's player, [B]; see `Family.losses`.

        It has no gradient in the other player's weights.

        Raises:
            ValueError: If there is no such phase.
        """
        _check_phase(phase)
        if phase == "discriminator":
            z, shares = draws
            with torch.no_grad():
                fake = augment(self._images(z))
            return self._discriminator_losses(self.discriminator, augment(x0), fake, shares)
        z, *inner = draws
        critic = Critic.like(self.discriminator)
        if not inner:
            return self.loss.generator(critic(augment(self._images(z))).to(x0.dtype))
        # compiled code can be differentiated once only
        with torch.compiler.set_stance("force_eager"):
            real, (latents, shares) = augment(x0), inner

            def step_loss(critic: Critic, z: Tensor, share: Tensor) -> Tensor:
                fake = augment(self._images(z))
                return self._discriminator_losses(critic, real, fake, share).mean()

            critic = critic.unrolled(
                step_loss,
                zip(latents.unbind(1), shares.unbind(1), strict=True),
                rate=self.unroll_rate,
                bounded=self.penalty.bounded,
            )
            fake = augment(self._images(z))
            if not self.loss.zero_sum:
                return self.loss.generator(critic(fake).to(x0.dtype))
            # eq. 10: the game's whole value, as the logits of real images come from G now too
            return -self.loss.discriminator(*self._logits(critic, real, fake))

    def after_update(self, phase: str) -> None:
        """Put the discriminator's weights back within their bounds."""
        if phase == "discriminator":
            with torch.no_grad():
                for weight in self.discriminator.parameters():
                    bounded = self.penalty.bounded(weight)
                    if bounded is not weight:
                        weight.copy_(bounded)

    def latents(self, count: int, generator: Generator) -> Tensor:
        """Latent vectors, [count, latent], standard normal."""
        return torch.randn(count, self.latent, generator=generator, device=generator.device)

    def decode(self, z: Tensor) -> Tensor:
        """The images of latent vectors [B, latent], whatever others are in the batch: [B, C, H, W].

        The generator is in evaluation mode meanwhile. Differentiable.
        """
        training = self.generator.training
        self.generator.eval()
        try:
            return self._images(z)
        finally:
            self.generator.train(training)

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: Generator,
        *,
        sampler: str = "generator",
        steps: int = 1,
        **options: Any,
    ) -> Iterator[State]:
        """One pass of the generator, however many `steps` are asked for; see `Family.sample`."""
        del steps
        if sampler != "generator":
            raise ValueError(f"The value of `sampler` is {sampler!r}, but must be 'generator'")
        for option in options:
            raise ValueError(f"`sampler.{option}` is unknown: the options of 'generator' are none")
        x = self.decode(self.latents(count, generator))
        return iter((State(t=0, x=x, x0=x),))

    def _images(self, z: Tensor) -> Tensor:
        """Generated images [B, C, H, W], of the latents' type even where layers work in another."""
        images: Tensor = self.generator(z)
        return images.to(z.dtype)

    def _discriminator_losses(
        self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, shares: Tensor
    ) -> Tensor:
        """Of each pair of a real and a generated image, [B]."""
        losses = self.loss.discriminator(*self._logits(critic, real, fake))
        penalties = self.penalty.losses(critic, real, fake, shares)
        return losses if penalties is None else losses + penalties

    def _logits(
        self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Of real and of generated images, [B] each."""
        if self._mixes_images:  # in batches of their own, as in DCGAN
            pair = critic(real), critic(fake)
        else:
            ours, theirs = critic(torch.cat([real, fake])).chunk(2)
            pair = ours, theirs
        # In the images' precision, whatever that of the network: small differences count.
        return pair[0].to(real.dtype), pair[1].to(real.dtype)


def _check_phase(phase: str) -> None:
    if phase not in ("discriminator", "generator"):
        raise ValueError(
            f"The value of `phase` is {phase!r}, but must be one of discriminator, generator"
        )
