"""Denoising diffusion probabilistic models (Ho, Jain & Abbeel 2020)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Generator, Tensor, nn

from models.bound import bound_terms, model_log_variance
from models.family import Augment, Family, State, as_they_are
from models.noise_schedule import Schedule
from models.options import call_named
from models.predictions import PREDICTIONS, Prediction
from models.regression_losses import MSE, Regression, Uniform, Weighting
from models.samplers import SAMPLERS


@dataclass(frozen=True)
class FixedVariance:
    """Nothing is learned of the variance: samplers take beta or beta tilde.

    Attributes:
        outputs: Channels of the network's output for each channel of the images.
    """

    outputs: ClassVar[int] = 1


@dataclass(frozen=True)
class LearnedVariance:
    """The network also predicts the variance, by the hybrid loss (Nichol & Dhariwal 2021, eq. 16).

    L_hybrid = L_simple + weight * L_vlb. L_vlb is estimated by T * L_t at the timestep drawn, in
    bits per dimension, and moves the variance alone: the predicted mean in it is held fixed.

    Attributes:
        weight: The paper's lambda, >= 0.
        outputs: Channels of the network's output for each channel of the images.
    """

    weight: float = 0.001
    outputs: ClassVar[int] = 2

    def __post_init__(self) -> None:
        """Check the value.

        Raises:
            ValueError: If `weight` is negative.
        """
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"The value of `weight` is {self.weight}, but must be >= 0")


VARIANCES: Mapping[str, Callable[..., FixedVariance | LearnedVariance]] = MappingProxyType(
    {"fixed": FixedVariance, "learned": LearnedVariance}
)
"""What is learned of the variance, by name."""


class DDPM(Family):
    """A network that undoes a step of noise, trained along a schedule of noise.

    Args:
        network: Called with (x_t [B, C, H, W], t [B]), gives the prediction [B, C, H, W]; with a
            learned variance [B, 2 C, H, W], the prediction first.
        schedule: The forward process.
        image_shape: (C, H, W) of the images.
        prediction: What the network predicts: a name in `PREDICTIONS`.
        loss: Compares the prediction with what it should be.
        weighting: How much that counts at each timestep.
        variance: Whether the variance is learned too.

    Raises:
        ValueError: If `prediction` is unknown.
    """

    default_sampler = "ddim"

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        image_shape: tuple[int, int, int],
        *,
        prediction: str = "epsilon",
        loss: Regression = MSE(),  # noqa: B008
        weighting: Weighting = Uniform(),  # noqa: B008
        variance: FixedVariance | LearnedVariance = FixedVariance(),
    ) -> None:
        """Keep the parts."""
        super().__init__(image_shape)
        if prediction not in PREDICTIONS:
            known = ", ".join(PREDICTIONS)
            raise ValueError(
                f"The value of `prediction` is {prediction!r}, but must be one of {known}"
            )
        self.network = network
        self.schedule = schedule
        self.prediction = prediction
        self.loss = loss
        self.weighting = weighting
        self.variance = variance
        error = PREDICTIONS[prediction].error_in_x0(schedule)
        self._weights = weighting.weights(schedule, error).float()  # [T]

    def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
        """What is in the noisy images `x_t` [B, C, H, W] at timesteps `t` [B].

        Raises:
            ValueError: If the network's output has another shape than it should have.
        """
        output, share = self._outputs(x_t, t)
        schedule = self.schedule.to(x_t.device)
        x0, epsilon = PREDICTIONS[self.prediction].estimate(schedule, output, x_t, t)
        return Prediction(x0, epsilon, share)

    def draw(self, count: int, generator: Generator, phase: str = "model") -> tuple[Tensor, Tensor]:
        """Timesteps [count], uniform in 0 .. T-1, and standard normal noise [count, C, H, W]."""
        del phase
        device = generator.device
        t = torch.randint(self.schedule.timesteps, (count,), generator=generator, device=device)
        epsilon = torch.randn(count, *self.image_shape, generator=generator, device=device)
        return t, epsilon

    def losses(
        self, x0: Tensor, *draws: Tensor, phase: str = "model", augment: Augment = as_they_are
    ) -> Tensor:
        """The weighted error of the prediction, [B]; with a learned variance, L_hybrid.

        With the defaults it is L_simple (Ho et al. 2020, eq. 14).
        """
        del phase
        t, epsilon = draws
        x0 = augment(x0)
        schedule = self.schedule.to(x0.device)
        x_t = schedule.add_noise(x0, t, epsilon)
        output, share = self._outputs(x_t, t)
        parameterisation = PREDICTIONS[self.prediction]
        if self._weights.device != x0.device:
            self._weights = self._weights.to(x0.device)
        target = parameterisation.target(schedule, x0, epsilon, x_t, t)
        losses = self._weights[t] * self.loss(output, target)
        if isinstance(self.variance, LearnedVariance):
            estimate, _ = parameterisation.estimate(schedule, output.detach(), x_t, t)
            log_variance = model_log_variance(schedule, t, x0, "learned", share)
            terms = bound_terms(schedule, x0, t, estimate, log_variance)
            losses = losses + self.variance.weight * schedule.timesteps * terms
        return losses

    def sample(
        self, count: int, generator: Generator, *, sampler: str, steps: int, **options: Any
    ) -> Iterator[State]:
        """Run one of `SAMPLERS` from pure noise; see `Family.sample`."""
        x_T = torch.randn(count, *self.image_shape, generator=generator, device=generator.device)
        return call_named(
            SAMPLERS,
            sampler,
            options,
            name_path="sampler",
            path="sampler",
            model=self,
            x_T=x_T,
            steps=steps,
            generator=generator,
        )

    def _outputs(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor | None]:
        """The prediction, and the variance's share of log beta (Nichol & Dhariwal 2021, eq. 15).

        As in the authors' code the share is (output + 1) / 2, so that a network which starts at 0
        starts halfway; nothing keeps it in [0, 1].
        """
        output: Tensor = self.network(x_t, t)
        wanted = (len(x_t), self.variance.outputs * x_t.shape[1], *x_t.shape[2:])
        if output.shape != wanted:  # it would broadcast, and train on nonsense
            raise ValueError(
                f"The network's output is {list(output.shape)}, but must be {list(wanted)}"
            )
        output = output.to(x_t.dtype)  # of a network that ran in half precision
        if isinstance(self.variance, FixedVariance):
            return output, None
        prediction, share = output.chunk(2, dim=1)
        return prediction, (share + 1) / 2
