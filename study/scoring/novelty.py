"""Whether generated images are new, or copies of what the generator was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from study.scoring.neighbours import Neighbours, nearest
from study.spec.errors import UserError

COPY_RATIO = 1 / 3
"""A sample whose nearest training image is less than this times as far as the second nearest is
taken for a copy of it (Yoon et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail
to Memorize")."""

_MOST_COPIES = 10
"""Training images that are looked at for near copies of another one."""


@dataclass(frozen=True, eq=False)
class Closeness:
    """How near samples are to one training picture, compared with all other pictures.

    Attributes:
        neighbours: The nearest training images of each sample, the nearest first.
        same: Which of them are the same picture as the first, bool [N, count]; the first is.
        ratio: Distance to the nearest as a share of that to the nearest other picture, [N] in 0..1,
            0 for an exact copy. Below `COPY_RATIO`, the sample is a copy.
    """

    neighbours: Neighbours
    same: Tensor
    ratio: Tensor


def memorised(neighbours: Neighbours) -> Tensor:
    """Which samples are copies of one training image, bool [N].

    Args:
        neighbours: The nearest 2 or more training images of each sample. An exact copy counts as a
            copy even where the training set holds that image twice.

    Raises:
        UserError: If there are fewer than 2 neighbours.
    """
    if neighbours.distances.shape[1] < 2:
        raise UserError("There is 1 neighbour for each sample, but it takes 2 or more")
    first, second = neighbours.distances[:, 0], neighbours.distances[:, 1]  # [N]
    return (first < COPY_RATIO * second) | (first == 0)


def memorisation_ratio(samples: Tensor, train: Tensor) -> float:
    """Share of the samples that are copies, 0..1.

    The definition is of a set of training images, and a set has no element twice: equal images
    count as one. Otherwise no copy of an image that is there twice would be noticed.

    Args:
        samples: Features of generated images, [N, d].
        train: Features of the training images, [M >= 2, d].

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    return float(memorised(nearest(samples, _as_a_set(train), 2)).double().mean())


def authenticity(samples: Tensor, train: Tensor) -> float:
    """Share of the samples that are no closer to a training image than other real images are.

    Alaa et al. 2022, "How Faithful is your Synthetic Data?", section 4.3: a sample is authentic if
    its nearest training image has another training image at least as near as the sample. An exact
    copy is not. Equal training images count as one, as in `memorisation_ratio`. Compare it with the
    authenticity of held-out images: less than theirs means copying.

    Args:
        samples: Features of generated images, [N, d].
        train: Features of the training images, [M >= 2, d].

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    train = _as_a_set(train)
    closest = nearest(samples, train)
    chosen, whose = np.unique(closest.indices[:, 0].cpu().numpy(), return_inverse=True)
    # Only training images that are the nearest of a sample need their own neighbours: 2, of which
    # the first is the image itself, or a copy at distance 0.
    rivals = nearest(train[chosen], train, 2).distances[:, 1].cpu()[whose]  # [N]
    distances = closest.distances[:, 0].cpu()  # [N]
    return float(((rivals <= distances) & (distances > 0)).double().mean())


def closeness(samples: Tensor, train: Tensor, count: int) -> Closeness:
    """How near samples are to one training picture, where the same picture may be there repeatedly.

    Two training images are one picture if they are equal, or if each is a copy of the other by the
    rule for samples: up to 9 others of the 10 nearest, all of them less than `COPY_RATIO` times as
    far as the next one. Without such images, the ratio is that of the two smallest distances.

    Args:
        samples: Features of generated images, [N, d].
        train: Features of the training images, [M, d], of which 2 or more differ.
        count: How many neighbours to tell of each sample, 1 .. M.

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    kept, which = distinct(train)
    pictures = train[kept.to(train.device)]
    if len(pictures) < 2:
        raise UserError("There is 1 training image that differs, but it takes 2 or more")
    chosen, whose = np.unique(
        nearest(samples, pictures).indices[:, 0].cpu().numpy(), return_inverse=True
    )
    groups = _near_copies(pictures, torch.from_numpy(chosen))
    most = min(len(pictures), max(map(len, groups)) + 1)
    among = nearest(samples, pictures, most)
    distances, indices = among.distances.cpu(), among.indices.cpu()
    neighbours = nearest(samples, train, count)
    shown = which[neighbours.indices.cpu()]  # [N, count], as indices of pictures
    same = torch.empty(shown.shape, dtype=torch.bool)
    ratio = torch.empty(len(samples), dtype=torch.float64)
    for i, group in enumerate(whose):
        members = groups[group]
        same[i] = torch.isin(shown[i], members)
        other = distances[i][~torch.isin(indices[i], members)][0]
        first = distances[i, 0]
        ratio[i] = 0.0 if first == 0 else first / other
    return Closeness(neighbours, same, ratio)


def distinct(features: Tensor) -> tuple[Tensor, Tensor]:
    """Which rows of features [M, d] to keep so that none is there twice.

    Returns:
        The indices of the first of equal rows, rising, int64 [K]; and for each row, which of those
        it is equal to, int64 [M].
    """
    rows = (features.detach().cpu() + 0.0).numpy()  # -0.0 is 0.0
    seen: dict[bytes, int] = {}
    which = [seen.setdefault(row.tobytes(), len(seen)) for row in rows]
    _, firsts = np.unique(which, return_index=True)
    return torch.from_numpy(firsts.astype(np.int64)), torch.tensor(which)


def _as_a_set(train: Tensor) -> Tensor:
    """Training features without repetitions; as they are where all of them are equal."""
    kept, _ = distinct(train)
    return train if len(kept) in (1, len(train)) else train[kept.to(train.device)]


def _near_copies(pictures: Tensor, chosen: Tensor) -> list[Tensor]:
    """The indices of the same picture as each of the chosen ones, itself among them.

    Args:
        pictures: Features [K, d], no two equal.
        chosen: Indices of some of them, int64.
    """
    count = min(_MOST_COPIES + 1, len(pictures))
    near = nearest(pictures[chosen.to(pictures.device)], pictures, count)
    distances, indices = near.distances.cpu(), near.indices.cpu()
    groups = []
    for own, row, others in zip(chosen, distances, indices, strict=True):
        gaps = torch.nonzero(row[1:-1] < COPY_RATIO * row[2:])[:, 0]  # the first is the image
        size = int(gaps[-1]) + 2 if len(gaps) else 1
        groups.append(torch.cat([own[None], others[:size]]))
    return groups
