"""Noticing that training has diverged, without waiting for the device in every batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BATCHES_BETWEEN_CHECKS = 50


class Diverged(ArithmeticError):
    """The gradient became infinite or not a number.

    Attributes:
        epoch: The epoch it happened in.
        batch: The batch in that epoch.
        value: The norm of the gradient.
    """

    def __init__(self, epoch: int, batch: int, value: float) -> None:
        """Keep where it happened."""
        super().__init__(
            f"Training diverged in epoch {epoch}, batch {batch}: the gradient's norm is {value}"
        )
        self.epoch = epoch
        self.batch = batch
        self.value = value

    def __reduce__(self) -> tuple[type[Diverged], tuple[int, int, float]]:
        """Pickle by the values: exceptions travel between processes."""
        return type(self), (self.epoch, self.batch, self.value)


class GradientWatch:
    """Keeps the norms of the gradients until it is time to look at them.

    It watches the norm, not the loss, because once the workers have taken the mean of their
    gradients the norm is the same on all of them: all go on or all stop, without another message. A
    loss that is not finite on one worker makes the mean gradient so on all.
    """

    def __init__(self) -> None:
        """Start with nothing to look at."""
        self._waiting: list[tuple[int, int, Tensor]] = []

    def note(self, epoch: int, batch: int, norm: Tensor) -> None:
        """Keep a norm, a scalar tensor, and look: at once on the CPU, else every 50 batches.

        Raises:
            Diverged: As in `check`.
        """
        self._waiting.append((epoch, batch, norm))
        if norm.device.type == "cpu" or len(self._waiting) == _BATCHES_BETWEEN_CHECKS:
            self.check()

    def check(self) -> None:
        """Look at all norms kept.

        Raises:
            Diverged: Naming the first batch whose norm is not finite. The norms stay, so looking
                again raises again.
        """
        if not self._waiting:
            return
        norms = torch.stack([norm for _, _, norm in self._waiting]).tolist()
        for (epoch, batch, _), norm in zip(self._waiting, norms, strict=True):
            if not math.isfinite(norm):
                raise Diverged(epoch, batch, norm)
        self._waiting.clear()
