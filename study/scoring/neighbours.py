"""Nearest neighbours of feature vectors, exactly, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from study.scoring.feature_checks import check_features
from study.spec.errors import UserError

# Distances held at once, of float64: 64 MB.
_BLOCK = 2**23


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest of some references to each of some queries, the nearest first.

    Attributes:
        distances: Euclidean, float64 [N, count].
        indices: Which reference, int64 [N, count].
    """

    distances: Tensor
    indices: Tensor


def nearest(
    queries: Tensor, references: Tensor, count: int = 1, *, apart_from_self: bool = False
) -> Neighbours:
    """The `count` references nearest to each query. Of equally near ones, either may come first.

    Args:
        queries: Features [N, d].
        references: Features [M, d], M >= `count`.
        count: How many neighbours, at least 1.
        apart_from_self: The queries are the references themselves: query i is not compared with
            reference i.

    Raises:
        UserError: If there are too few references, a feature is not finite, or d differs.
    """
    rivals = len(references) - apart_from_self
    if not 1 <= count <= rivals:
        raise UserError(f"{count} neighbours were asked for, but it must be 1 to {rivals}")
    distances, indices = [], []
    for start, block in squared_distances(queries, references):
        if apart_from_self:
            rows = torch.arange(len(block), device=block.device)
            block[rows, start + rows] = torch.inf
        closest = block.topk(count, dim=1, largest=False)  # [n, count]
        distances.append(closest.values.sqrt())
        indices.append(closest.indices)
    return Neighbours(torch.cat(distances), torch.cat(indices))


def squared_distances(a: Tensor, b: Tensor) -> Iterator[tuple[int, Tensor]]:
    """|a_i - b_j|^2 for some rows of `a` at a time: the first row's index, and float64 [n, M].

    By |a|^2 + |b|^2 - 2 a.b about the mean of b, in double precision. What rounding alone could
    have made is 0, so that a vector has no distance to its copy.

    Args:
        a: Features [N, d], N >= 1.
        b: Features [M, d], M >= 1.

    Raises:
        UserError: If there are no features, one is not finite, or d differs.
    """
    check_features(a, b)
    b = b.detach().double()
    centre = b.mean(0)
    b = b - centre
    b_squares = b.square().sum(1)  # [M]
    rounding = a.shape[1] * torch.finfo(torch.float64).eps
    rows = max(1, _BLOCK // len(b))
    for start in range(0, len(a), rows):
        block = a[start : start + rows].detach().double() - centre  # [n, d]
        scale = block.square().sum(1)[:, None] + b_squares  # [n, M]
        squares = torch.addmm(scale, block, b.T, alpha=-2)
        yield start, squares.masked_fill_(squares <= rounding * scale, 0.0)
