"""Interpolation between latent vectors, linear and spherical.

A GAN's latents are what its generator maps to images. A diffusion model's are the noise that DDIM,
run backwards, takes a real image to (Song et al. 2021, section 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from matplotlib.figure import Figure
from torch import Tensor

from models.ddpm import DDPM
from models.gan import GAN
from models.samplers import ddim, ddim_invert
from study.diagnostics.figures import image_rows
from study.diagnostics.subject import Finding, Measure, Subject
from study.spec.errors import UserError

PAIRS = 3
POINTS = 9
MOST_STEPS = 50

_PARALLEL = 1e-6  # radians; below it, the great circle is a line as far as digits tell


def lerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """The point at `share` of the straight line from `a` to `b`, of any shape.

    Halfway between two independent normal vectors it is shorter than either, by a factor of about
    sqrt(2): such a vector is hardly ever drawn.
    """
    return (1 - share) * a + share * b


def slerp(a: Tensor, b: Tensor, share: float) -> Tensor:
    """The point at `share` of the great circle from `a` to `b` (Shoemake 1985), image by image.

    Its length goes evenly from |a| to |b|.

    Args:
        a: [B, ...], none of them zero.
        b: The same shape.
        share: From 0, which is `a`, to 1, which is `b`.
    """
    shape = a.shape
    a, b = a.flatten(1), b.flatten(1)
    a_norm, b_norm = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)  # [B, 1]
    a_unit, b_unit = a / a_norm, b / b_norm
    # By both half-chords: the arc cosine of the product loses half of its digits near 0 and pi.
    angle = 2 * torch.atan2((a_unit - b_unit).norm(dim=1), (a_unit + b_unit).norm(dim=1))[:, None]
    sine = torch.sin(angle)
    on_circle = (torch.sin((1 - share) * angle) * a_unit + torch.sin(share * angle) * b_unit) / sine
    unit = torch.where(sine.abs() < _PARALLEL, lerp(a_unit, b_unit, share), on_circle)
    return (lerp(a_norm, b_norm, share) * unit).view(shape)


WAYS: Mapping[str, Callable[[Tensor, Tensor, float], Tensor]] = MappingProxyType(
    {"linear": lerp, "spherical": slerp}
)
"""The interpolations by name."""


@torch.no_grad()
def interpolate(
    decode: Callable[[Tensor], Tensor], a: Tensor, b: Tensor, way: str, points: int = POINTS
) -> Tensor:
    """Images of latents on the way from `a` to `b`.

    Args:
        decode: Latents [B, ...] to images [B, C, H, W].
        a: Latents where the ways start, [B, ...].
        b: Latents where they end, [B, ...].
        way: A name in `WAYS`.
        points: How many, ends included.

    Returns:
        [B, points, C, H, W].
    """
    shares = [i / (points - 1) for i in range(points)]
    latents = torch.stack([WAYS[way](a, b, share) for share in shares], dim=1)
    images = decode(latents.flatten(0, 1))
    return images.view(len(a), points, *images.shape[1:])


def largest_step(images: Tensor) -> float:
    """The largest change between neighbouring images as a share of all changes, mean over ways.

    1 / (points - 1) for a perfectly even transition, 1 for one jump; `images` [B, points, ...].
    """
    changes = (images[:, 1:] - images[:, :-1]).flatten(2).norm(dim=2)  # [B, points - 1]
    return float((changes.amax(1) / changes.sum(1).clamp(min=1e-12)).mean())


def interpolation_figure(ways: Mapping[str, Tensor], title: str) -> Figure:
    """Rows of images [B, points, C, H, W] by way: of each pair, one way below the other."""
    pairs, points = next(iter(ways.values())).shape[:2]
    rows = {
        f"{i + 1} {way}": images[i].clamp(-1, 1)
        for i in range(pairs)
        for way, images in ways.items()
    }
    return image_rows(rows, [f"{k / (points - 1):.0%}" for k in range(points)], title)


def diagnose(subject: Subject) -> Finding:
    """Ways between random latents of a GAN, or between DDIM-inverted held-out images."""
    family = subject.family
    measures = []
    if isinstance(family, GAN):
        z = family.latents(2 * PAIRS, subject.generator("latents"))
        decode: Callable[[Tensor], Tensor] = family.decode
        title = f"Interpolated between {PAIRS} pairs of random latent vectors"
    else:
        assert isinstance(family, DDPM)
        # The real images themselves have no latents of an even number where few are held out.
        x0 = subject.batch(subject.real, 2 * PAIRS, "latents")
        if len(x0) < 2:
            raise UserError(f"there is {len(x0)} held-out image, and a way needs 2 ends")
        # `leading` never visits T-1, where alpha_bar is so small that errors grow without bound,
        # as long as it does not visit every timestep; clamping estimates cannot be undone.
        steps = min(MOST_STEPS, max(family.schedule.timesteps // 2, 1))
        *_, last = ddim_invert(family, x0, steps=steps, spacing="leading")
        z = last.x

        def decode(latent: Tensor) -> Tensor:
            generator = subject.generator("latents")  # unused: eta is 0
            *_, last = ddim(
                family,
                latent,
                steps=steps,
                generator=generator,
                spacing="leading",
                clip_x0=False,
            )
            return last.x

        pairs = f"{len(x0) // 2} pairs of real images"
        title = f"Interpolated between {pairs}, inverted by DDIM in {steps} steps"
        error = (decode(z) - x0).square().mean().sqrt() / 2
        measures.append(
            Measure("inversion_error", float(error), len(x0), sampler="ddim", steps=steps)
        )
    even = len(z) // 2
    ways = {way: interpolate(decode, z[:even], z[even : 2 * even], way) for way in WAYS}
    largest_steps = {way: largest_step(images) for way, images in ways.items()}
    measures += [Measure(f"largest_step.{way}", v, even) for way, v in largest_steps.items()]
    return Finding(
        headline=f"largest of {POINTS - 1} steps {largest_steps['spherical']:.0%} of the way",
        measures=measures,
        pictures={"interpolation": interpolation_figure(ways, title)},
    )
