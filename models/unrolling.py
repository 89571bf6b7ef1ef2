"""A discriminator some gradient steps ahead, differentiable in what those steps learn from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import functional_call

StepLoss = Callable[["Critic", Tensor, Tensor], Tensor]
"""(critic, latents [B, latent], shares [B]) -> its loss in an inner step, a scalar."""


@dataclass(frozen=True, eq=False)
class Critic:
    """A discriminator with weights and buffers in place of its own, which stay as they are.

    Attributes:
        module: The discriminator.
        weights: By the parameters' names.
        buffers: By the buffers' names; calls move them.
    """

    module: nn.Module
    weights: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]

    @classmethod
    def like(cls, module: nn.Module) -> Critic:
        """What the module is now, with weights that get no gradient, which saves computing it."""
        return cls(
            module,
            {name: weight.detach() for name, weight in module.named_parameters()},
            {name: buffer.clone() for name, buffer in module.named_buffers()},
        )

    def __call__(self, x: Tensor) -> Tensor:
        """The logits [B] of images [B, C, H, W]."""
        logits: Tensor = functional_call(
            self.module, (dict(self.weights), dict(self.buffers)), (x,)
        )
        return logits

    def unrolled(
        self,
        step_loss: StepLoss,
        draws: Iterable[tuple[Tensor, Tensor]],
        *,
        rate: float,
        bounded: Callable[[Tensor], Tensor],
    ) -> Critic:
        """The critic after plain gradient steps (Metz et al. 2017, eqs. 8 and 9).

        Args:
            step_loss: What each step descends.
            draws: Latents and shares of each step.
            rate: The steps' learning rate.
            bounded: Puts weights back within their bounds after each step.

        Returns:
            The same module with other weights, differentiable in all that `step_loss` depends on.
        """
        critic = replace(self, weights={n: w.requires_grad_() for n, w in self.weights.items()})
        with torch.enable_grad():
            for z, share in draws:
                loss = step_loss(critic, z, share)
                gradients = torch.autograd.grad(
                    loss, list(critic.weights.values()), create_graph=True
                )
                steps = zip(critic.weights.items(), gradients, strict=True)
                weights = {name: bounded(w - rate * gradient) for (name, w), gradient in steps}
                critic = replace(critic, weights=weights)
        return critic
