"""Finished images from a family, the same ones however the work is split."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from models.family import Family
from models.images import to_uint8
from models.seeding import derive_seed


def generate(
    family: Family,
    count: int,
    *,
    sampler: str,
    steps: int,
    seed: int,
    options: Mapping[str, Any] | None = None,
    chunk_size: int = 128,
    rank: int = 0,
    world: int = 1,
) -> Tensor:
    """Make `count` images, or this worker's share of them.

    The images come in chunks of fixed size, each with its own generator, seeded from (`seed`, the
    chunk's index). Worker `rank` makes a contiguous run of chunks, so the shares of all workers,
    joined in the order of their ranks, are what one worker alone would make.

    Args:
        family: What makes them, on its own device and in evaluation mode meanwhile. Whether its
            weights are the trained or the averaged ones is for the caller to say.
        count: How many images all workers make together.
        sampler: The name of a sampler, or `auto` for the family's own.
        steps: How many steps it takes.
        seed: Chooses the images.
        options: The sampler's own options.
        chunk_size: Images in a chunk. Another size gives other images.
        rank: This worker's index, 0 .. world-1.
        world: How many workers share the work.

    Returns:
        [n, C, H, W] uint8 on the family's device; n is `count` for one worker, and may be 0 where
        there are more workers than chunks.

    Raises:
        ValueError: If the sampler or an option is unknown, or a value is out of its range.
    """
    if count < 0 or chunk_size < 1:
        raise ValueError(
            f"`count` is {count} and `chunk_size` is {chunk_size}, but they must be >= 0 and >= 1"
        )
    if not 0 <= rank < world:
        raise ValueError(f"The value of `rank` is {rank}, but must be in 0 .. {world - 1}")
    if sampler == "auto":
        sampler = family.default_sampler
    chunks = -(-count // chunk_size)
    # Rounded up, so that rank 0 has the first chunk even where there are fewer chunks than workers.
    first, last = (-(-chunks * r // world) * chunk_size for r in (rank, rank + 1))
    images = torch.empty(
        max(min(last, count) - first, 0),
        *family.image_shape,
        dtype=torch.uint8,
        device=family.device,
    )
    training = family.training
    family.eval()
    try:
        with torch.inference_mode():
            for start in range(0, len(images), chunk_size):
                chunk = images[start : start + chunk_size]
                generator = Generator(family.device)
                generator.manual_seed(derive_seed(seed, "chunk", (first + start) // chunk_size))
                for state in family.sample(
                    len(chunk), generator, sampler=sampler, steps=steps, **(options or {})
                ):
                    x = state.x
                chunk.copy_(to_uint8(x))
    finally:
        family.train(training)
    return images
