"""The workers of one trial, seen from one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Team:
    """Rank `rank` of `world` workers, on its device.

    With one worker nothing is averaged, gathered or agreed on, and no process group is needed.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def average(self, tensors: list[Tensor]) -> None:
        """Replace tensors of one type, in place, by their means over the team: in one message."""
        if self.world == 1:
            return
        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        dist.all_reduce(flat, dist.ReduceOp.SUM)
        flat /= self.world
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        with torch.no_grad():
            for tensor, part in zip(tensors, parts, strict=True):
                tensor.copy_(part.view(tensor.shape))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any worker: the same answer on all of them."""
        if self.world == 1:
            return flag
        votes = torch.tensor(int(flag), device=self.device)
        dist.all_reduce(votes, dist.ReduceOp.MAX)
        return bool(votes.item())

    def mean(self, value: Tensor) -> Tensor:
        """A scalar's mean over the team."""
        if self.world == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total, dist.ReduceOp.SUM)
        return total / self.world

    def gather(self, rows: Tensor) -> Tensor | None:
        """Each worker's rows [n_r, ...] (CPU), joined in the order of ranks; None but on rank 0."""
        if self.world == 1:
            return rows
        shares: list[Any] | None = [None] * self.world if self.rank == 0 else None
        dist.gather_object(rows, shares, dst=0)
        return None if shares is None else torch.cat(shares)
