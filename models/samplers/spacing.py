"""Which timesteps a sampler visits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from models.noise_schedule import Schedule

Spacing = Literal["trailing", "leading"]


def respaced(timesteps: int, steps: int, spacing: Spacing) -> list[int]:
    """The timesteps that a sampler visits, falling (Lin et al. 2024, table 2).

    `trailing` starts from T-1, the one timestep at which pure noise is what the model has seen;
    `leading` ends at 0, but starts below T-1, where the model expects a trace of an image that pure
    noise does not have.

    Args:
        timesteps: T.
        steps: How many to visit, 1 .. T.
        spacing: `trailing` or `leading`.

    Raises:
        ValueError: If `steps` or `spacing` is not one of those.
    """
    if not 1 <= steps <= timesteps:
        raise ValueError(
            f"The value of `steps` is {steps}, but must be in 1 .. {timesteps}, the model's own"
        )
    if spacing == "trailing":
        return [round(timesteps * (steps - i) / steps) - 1 for i in range(steps)]
    if spacing == "leading":
        return [timesteps // steps * i for i in reversed(range(steps))]
    raise ValueError(f"The value of `spacing` is {spacing!r}, but must be 'trailing' or 'leading'")


def path(schedule: Schedule, steps: int, spacing: Spacing) -> Iterator[tuple[int, float, float]]:
    """(t, alpha_bar at t, alpha_bar at the next timestep visited: 1 after the last).

    Plain numbers, read from the device once: the steps of a sampler then never wait for the device.
    """
    return through(schedule, respaced(schedule.timesteps, steps, spacing))


def through(schedule: Schedule, visited: list[int]) -> Iterator[tuple[int, float, float]]:
    """`path` through these timesteps, falling."""
    alpha_bars = schedule.alpha_bars.tolist()
    for t, t_next in zip(visited, [*visited[1:], None], strict=True):
        yield t, alpha_bars[t], 1.0 if t_next is None else alpha_bars[t_next]
