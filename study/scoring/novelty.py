"""Whether generated images are new, or copies of what the generator was trained on."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from study.scoring.neighbours import Neighbours, nearest
from study.spec.errors import UserError

COPY_RATIO = 1 / 3
"""A sample whose nearest training image is less than this times as far as the second nearest is
taken for a copy of it (Yoon et al. 2023, "Diffusion Probabilistic Models Generalize when They Fail
to Memorize")."""


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

    Args:
        samples: Features of generated images, [N, d].
        train: Features of the training images, [M >= 2, d].

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    return float(memorised(nearest(samples, train, 2)).double().mean())


def authenticity(samples: Tensor, train: Tensor) -> float:
    """Share of the samples that are no closer to a training image than other real images are.

    Alaa et al. 2022, "How Faithful is your Synthetic Data?", section 4.3: a sample is authentic if
    its nearest training image has another training image at least as near as the sample. An exact
    copy is not, even of an image that the training set holds twice. Compare it with the
    authenticity of held-out images: less than theirs means copying.

    Args:
        samples: Features of generated images, [N, d].
        train: Features of the training images, [M >= 2, d].

    Raises:
        UserError: If there are too few images, a feature is not finite, or d differs.
    """
    closest = nearest(samples, train)
    chosen, whose = np.unique(closest.indices[:, 0].cpu().numpy(), return_inverse=True)
    # Only training images that are the nearest of a sample need their own neighbours: 2, of which
    # the first is the image itself, or a copy at distance 0.
    rivals = nearest(train[chosen], train, 2).distances[:, 1].cpu()[whose]  # [N]
    distances = closest.distances[:, 0].cpu()  # [N]
    return float(((rivals <= distances) & (distances > 0)).double().mean())
