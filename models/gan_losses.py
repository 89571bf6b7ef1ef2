"""What the two players of a GAN minimise, and what bounds the discriminator.

`real` and `fake` are the discriminator's logits D of real and generated images, [B]; sigmoid(D) is
the probability that it gives to an image being real. Every loss is one value an image.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
import torch.nn.functional as F
from torch import Tensor


class GANLoss(ABC):
    """The losses of both players, from logits.

    Attributes:
        zero_sum: Whether the generator's is the negative of the discriminator's, but for the part
            that no generator changes: the one of real images.
    """

    zero_sum: bool

    @abstractmethod
    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """Of the discriminator, [B], from the logits of as many real as generated images [B]."""

    @abstractmethod
    def generator(self, fake: Tensor) -> Tensor:
        """Of the generator, [B], from the logits of its images [B]."""


@dataclass(frozen=True)
class MinMax(GANLoss):
    """Cross entropy, which the generator maximises (Goodfellow et al. 2014, eq. 1).

    The generator's gradient vanishes where the discriminator is sure: sigmoid(D) near 0.
    """

    zero_sum = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """-log sigmoid(D(x)) - log(1 - sigmoid(D(G(z))))."""
        return F.softplus(-real) + F.softplus(fake)

    def generator(self, fake: Tensor) -> Tensor:
        """log(1 - sigmoid(D(G(z))))."""
        return -F.softplus(fake)


@dataclass(frozen=True)
class NonSaturating(MinMax):
    """Cross entropy, with a generator that learns most where it is found out.

    Goodfellow et al. 2014, section 3: the same fixed point, and the gradient does not vanish.
    """

    zero_sum = False

    def generator(self, fake: Tensor) -> Tensor:
        """-log sigmoid(D(G(z)))."""
        return F.softplus(-fake)


@dataclass(frozen=True)
class Wasserstein(GANLoss):
    """The dual of the Wasserstein distance (Arjovsky et al. 2017, eq. 3).

    For a discriminator whose Lipschitz constant a penalty, or spectral norm, bounds.
    """

    zero_sum = True

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """D(G(z)) - D(x)."""
        return fake - real

    def generator(self, fake: Tensor) -> Tensor:
        """-D(G(z))."""
        return -fake


@dataclass(frozen=True)
class Hinge(Wasserstein):
    """Margins of one on either side (Lim & Ye 2017; Miyato et al. 2018, eqs. 16 and 17)."""

    zero_sum = False

    def discriminator(self, real: Tensor, fake: Tensor) -> Tensor:
        """max(0, 1 - D(x)) + max(0, 1 + D(G(z)))."""
        return F.relu(1 - real) + F.relu(1 + fake)


@dataclass(frozen=True)
class Penalty:
    """What bounds the discriminator; this one does not.

    Attributes:
        single_images: Whether it is a function of single images, so that none may influence what
            the discriminator says of another.
    """

    single_images = False

    def losses(
        self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, shares: Tensor
    ) -> Tensor | None:
        """What to add to the discriminator's loss.

        Args:
            critic: Maps images [B, C, H, W] to logits [B].
            real: Images, [B, C, H, W].
            fake: As many generated ones.
            shares: Uniform in [0, 1), [B].

        Returns:
            [B], differentiable in the critic's weights and in `fake`; None: nothing.
        """
        del critic, real, fake, shares
        return None

    def bounded(self, weight: Tensor) -> Tensor:
        """A weight of the discriminator, as it may be after an update."""
        return weight


@dataclass(frozen=True)
class Clip(Penalty):
    """Weights stay in [-limit, limit] (Arjovsky et al. 2017, algorithm 1).

    Args:
        limit: The largest size of a weight, > 0.

    Raises:
        ValueError: If it is not.
    """

    limit: float = 0.01

    def __post_init__(self) -> None:
        """Check the value."""
        if not 0 < self.limit < math.inf:
            raise ValueError(f"The value of `penalty.limit` is {self.limit}, but must be > 0")

    def bounded(self, weight: Tensor) -> Tensor:
        """The weight, clipped."""
        return weight.clamp(-self.limit, self.limit)


@dataclass(frozen=True)
class GradientPenalty(Penalty):
    """Gradients between real and generated images have length one (Gulrajani et al. 2017, eq. 3).

    Args:
        weight: lambda of the equation, > 0.

    Raises:
        ValueError: If it is not.
    """

    weight: float = 10.0
    single_images = True

    def __post_init__(self) -> None:
        """Check the value."""
        if not 0 < self.weight < math.inf:
            raise ValueError(f"The value of `penalty.weight` is {self.weight}, but must be > 0")

    def losses(
        self, critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, shares: Tensor
    ) -> Tensor:
        """Weight * (|grad D(x)| - 1)^2 at x = shares * real + (1 - shares) * fake."""
        # compiled code can be differentiated once only
        with torch.enable_grad(), torch.compiler.set_stance("force_eager"):
            x = torch.lerp(fake, real, shares[:, None, None, None])  # [B, C, H, W]
            if not x.requires_grad:
                x.requires_grad_()
            # the sum: its gradient is that of each logit in its own image
            (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
            norm: Tensor = torch.linalg.vector_norm(gradient.flatten(1), dim=1)  # [B]
            return self.weight * (norm - 1).square()


GAN_LOSSES: Mapping[str, Callable[..., GANLoss]] = MappingProxyType(
    {
        "min_max": MinMax,
        "non_saturating": NonSaturating,
        "hinge": Hinge,
        "wasserstein": Wasserstein,
    }
)
"""The losses by name; none has options."""

PENALTIES: Mapping[str, Callable[..., Penalty]] = MappingProxyType(
    {"none": Penalty, "clip": Clip, "gradient": GradientPenalty}
)
"""The penalties by name: each is called with options of its own."""
