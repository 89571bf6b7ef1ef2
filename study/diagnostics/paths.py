"""Ways through the timesteps: from an image to noise, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor

from models.ddpm import DDPM
from models.morphing import Morphing
from models.noise_schedule import Schedule
from models.options import call_named, short_form
from models.samplers import MORPH_SAMPLERS, SAMPLERS
from models.starts import STARTS, MorphSet

CLEAN = -1
"""The "timestep" of clean images, one before the first."""

PREDICTED = "predicted $x_0$"
"""What the clean images that a sampler predicts on its way are called in pictures."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Images somewhere on their way.

    Attributes:
        t: The timestep that they stand at, `CLEAN` for clean images.
        x: The images, [B, C, H, W].
        x0: The clean images that a sampler predicted there, [B, C, H, W]; `x` where they are clean
            themselves, None where nothing was predicted.
    """

    t: int
    x: Tensor
    x0: Tensor | None = None


def noising(
    schedule: Schedule, x0: Tensor, timesteps: Sequence[int], generator: Generator
) -> list[Frame]:
    """One walk of the forward process, seen at some timesteps.

    From one to the next by q(x_t | x_s) = N(sqrt(a) x_s, (1 - a) I), a = alpha_bar_t / alpha_bar_s.

    Args:
        schedule: The forward process.
        x0: Clean images, [B, C, H, W] float.
        timesteps: Which to show, rising, in 0 .. T-1.
        generator: The source of the noise, on the images' device.
    """
    alpha_bars = schedule.alpha_bars.tolist()
    frames, x, before = [], x0, 1.0
    for t in timesteps:
        share = alpha_bars[t] / before
        noise = torch.randn(x0.shape, generator=generator, device=x0.device)
        x, before = share**0.5 * x + (1 - share) ** 0.5 * noise, alpha_bars[t]
        frames.append(Frame(t, x))
    return frames


def degrading(
    family: Morphing, x0: Tensor, timesteps: Sequence[int], generator: Generator
) -> list[Frame]:
    """Images blended into morph images, one each, at some timesteps. All else as in `noising`."""
    z = draw_start(family.morph_set, "images", len(x0), generator)
    at = [torch.full((len(x0),), t, device=x0.device) for t in timesteps]
    return [Frame(int(t[0]), family.degrade(x0, z, t)) for t in at]


def draw_start(
    towards: MorphSet, start: str | Mapping[str, Any], count: int, generator: Generator
) -> Tensor:
    """What morphing chains start from, [count, C, H, W] float32; see `Morphing.sample`."""
    kind, options = short_form(start, "start")
    return call_named(
        STARTS,
        kind,
        options,
        name_path="start",
        path="start",
        towards=towards,
        count=count,
        generator=generator,
    )


def denoising(
    family: DDPM | Morphing,
    count: int,
    generator: Generator,
    *,
    sampler: str,
    steps: int,
    options: Mapping[str, Any],
) -> Iterator[Frame]:
    """A sampler's way from noise, or from morph images, to images: its start and every step.

    Args:
        family: What samples.
        count: How many images.
        generator: The only source of randomness, on the family's device.
        sampler: The name of a sampler.
        steps: How many steps it takes.
        options: The sampler's own.
    """
    settings = dict(options)
    if isinstance(family, Morphing):
        start = settings.pop("start", "images")
        z = draw_start(family.morph_set, start, count, generator)
        last = family.schedule.timesteps - 1
        run = MORPH_SAMPLERS[sampler]
        states = run(family, z, z=z, t=last, steps=steps, generator=generator, **settings)
        x = z
    else:
        x = torch.randn(count, *family.image_shape, generator=generator, device=family.device)
        states = SAMPLERS[sampler](family, x, steps=steps, generator=generator, **settings)
    for state in states:
        yield Frame(state.t, x, state.x0)  # what the step started from, and headed for
        x = state.x
    yield Frame(CLEAN, x, x)


def pick(frames: Iterable[Frame], timesteps: Sequence[int]) -> list[Frame]:
    """The frame nearest to each of the timesteps, of which no more are kept meanwhile."""
    nearest: dict[int, Frame] = {}
    for frame in frames:
        for t in timesteps:
            if t not in nearest or abs(frame.t - t) < abs(nearest[t].t - t):
                nearest[t] = frame
    return [nearest[t] for t in timesteps]


def first(frame: Frame, count: int) -> Frame:
    """A frame of its first images alone."""
    return Frame(frame.t, frame.x[:count], None if frame.x0 is None else frame.x0[:count])


def every(timesteps: int, step: int) -> list[int]:
    """The last of every `step` timesteps of 0 .. T-1: T steps of noise end at T-1."""
    return list(range(step - 1, timesteps, step))
