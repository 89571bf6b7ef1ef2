"""Where a morphing model's chain starts: an image of the morph set, or something like one.

With images of the set alone, a model makes no more images than the set has. The others start
elsewhere, to make more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Generator, Tensor

from models.images import to_float

_FITTED_IMAGES = 10_000  # a Gaussian mixture gains little from more
_FITTED_DIRECTIONS = 100  # 9/10 of Fashion-MNIST's variance


class MorphSet:
    """The images that a morphing model morphs towards.

    They are data, not weights: a copy of the model shares them, and its state has none of them.

    Args:
        images: [M, C, H, W] uint8, M >= 1.

    Raises:
        ValueError: If the images are of another type or shape, or there are none.
    """

    def __init__(self, images: Tensor) -> None:
        """Keep the images."""
        if images.dtype != torch.uint8 or images.ndim != 4 or len(images) == 0:
            raise ValueError(
                f"The images to morph towards are {list(images.shape)} {images.dtype}, "
                "but must be [M, C, H, W] torch.uint8, with M >= 1"
            )
        self._images = images
        self._copies = {images.device: images}
        self._mixtures: dict[int, Mixture] = {}

    def __len__(self) -> int:
        """How many images there are, M."""
        return len(self._images)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        _, channels, height, width = self._images.shape
        return channels, height, width

    def __deepcopy__(self, memo: dict[int, Any]) -> MorphSet:
        """Itself: nothing changes the images."""
        return self

    def __getstate__(self) -> Tensor:
        """The images alone."""
        return self._images

    def __setstate__(self, images: Tensor) -> None:
        """As new."""
        MorphSet.__init__(self, images)

    def on(self, device: torch.device) -> Tensor:
        """The images on `device`, [M, C, H, W] uint8; copied there once."""
        device = torch.empty(0, device=device).device  # "cuda" is "cuda:0", say
        if device not in self._copies:
            self._copies[device] = self._images.to(device)
        return self._copies[device]

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Indices [count] of images, each one as likely, with repetition."""
        return torch.randint(len(self), (count,), generator=generator, device=generator.device)

    def mixture(self, components: int) -> Mixture:
        """`fit_mixture` of the images; fitted once."""
        if components not in self._mixtures:
            self._mixtures[components] = fit_mixture(self._images, components)
        return self._mixtures[components]


def images(towards: MorphSet, count: int, generator: Generator) -> Tensor:
    """Images of the set, drawn with repetition.

    Args:
        towards: The set.
        count: How many.
        generator: The only source of randomness; its device is where they are made.

    Returns:
        [count, C, H, W] float32 in [-1, 1].
    """
    return to_float(towards.on(generator.device)[towards.draw(count, generator)])


def noise(towards: MorphSet, count: int, generator: Generator, *, level: float = 0.01) -> Tensor:
    """Images of the set, each pixel with normal noise of deviation `level` added.

    Arguments are those of `images`; the result leaves [-1, 1] by the noise.

    Raises:
        ValueError: If `level` is negative.
    """
    if not 0 <= level < math.inf:
        raise ValueError(f"The value of `level` is {level}, but must be >= 0")
    z = images(towards, count, generator)
    return z + level * torch.randn(z.shape, generator=generator, device=z.device)


def average(
    towards: MorphSet,
    count: int,
    generator: Generator,
    *,
    images: int = 5,
) -> Tensor:
    """Means of N images of the set, drawn with repetition. All else as in `images`.

    Raises:
        ValueError: If `images` is not positive.
    """
    if images < 1:
        raise ValueError(f"The value of `images` is {images}, but must be >= 1")
    members = towards.on(generator.device)
    mean = torch.zeros(count, *members.shape[1:], device=generator.device)
    for _ in range(images):  # one at a time: many large images would not fit at once
        mean += to_float(members[towards.draw(count, generator)]) / images
    return mean


def mixture(towards: MorphSet, count: int, generator: Generator, *, components: int = 10) -> Tensor:
    """Draws from a Gaussian mixture fitted to the set, see `fit_mixture`. All else as in `images`.

    Raises:
        ValueError: If the set has one image alone, or there are not 1 .. M components.
    """
    return towards.mixture(components).draw(count, generator)


STARTS: Mapping[str, Callable[..., Tensor]] = MappingProxyType(
    {"images": images, "noise": noise, "average": average, "mixture": mixture}
)
"""The starts by name: each takes (towards, count, generator) and options of its own."""


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of K normals in the D directions in which images vary most.

    Attributes:
        weights: Of the components, [K].
        means: [K, D].
        factors: Lower triangular: their products with their transposes are the covariances,
            [K, D, D].
        directions: Orthonormal, [D, C H W].
        center: The image that all directions start from, [C, H, W].
    """

    weights: Tensor
    means: Tensor
    factors: Tensor
    directions: Tensor
    center: Tensor

    def draw(self, count: int, generator: Generator) -> Tensor:
        """Images [count, C, H, W] float32, clamped to [-1, 1], on the generator's device."""
        device = generator.device
        weights, means, factors, directions, center = (
            part.to(device).double()  # no product in a lower precision: the starts stay the same
            for part in (self.weights, self.means, self.factors, self.directions, self.center)
        )
        chosen = torch.multinomial(weights, count, replacement=True, generator=generator)
        normal = torch.randn(count, len(directions), generator=generator, device=device).double()
        points = means[chosen]  # [count, D]
        for component, factor in enumerate(factors):  # [count, D, D] at once might not fit
            members = (chosen == component)[:, None]
            points = points + torch.where(members, normal @ factor.T, 0)
        flat = points @ directions  # [count, C H W]
        return flat.view(count, *center.shape).add(center).clamp(-1, 1).float()


def fit_mixture(images: Tensor, components: int) -> Mixture:
    """Fit a Gaussian mixture to images, with a full covariance for each component.

    It is fitted to their principal components, at most 100 of them, and to at most 10,000 images,
    spaced evenly. The same images give the same mixture: its seed is fixed.

    Args:
        images: [M, C, H, W] uint8, at least 2.
        components: How many normals, 1 .. M.

    Raises:
        ValueError: If M < 2, or there are not 1 .. M components.
    """
    if len(images) < 2:
        raise ValueError("A mixture needs 2 morph images or more, but there is 1")
    if not 1 <= components <= len(images):
        raise ValueError(
            f"The value of `components` is {components}, but must be in 1 .. {len(images)}, "
            "the number of morph images"
        )
    from sklearn.decomposition import PCA  # heavy, and for this alone
    from sklearn.mixture import GaussianMixture

    few = images[:: -(-len(images) // _FITTED_IMAGES)]
    flat = to_float(few).flatten(1).double().cpu().numpy()  # [m, C H W]
    directions = min(_FITTED_DIRECTIONS, *flat.shape)
    pca = PCA(directions, svd_solver="randomized", random_state=0).fit(flat)
    points = pca.transform(flat)
    # A floor for the covariances, on the scale of the data: sets may be small, or vary little.
    floor = 1e-3 * float(points.var()) + 1e-9
    fitted = GaussianMixture(components, reg_covar=floor, random_state=0).fit(points)

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(array).float()

    return Mixture(
        weights=tensor(fitted.weights_),
        means=tensor(fitted.means_),
        factors=torch.linalg.cholesky(torch.from_numpy(fitted.covariances_)).float(),
        directions=tensor(pca.components_),
        center=tensor(pca.mean_).view(images.shape[1:]),
    )
