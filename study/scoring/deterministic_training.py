"""Small networks that score others are trained to the same bits wherever they are trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seed the CPU's global generator, and compute in one thread, while the block lasts.

    Gradients are on in it, whatever surrounds it. Afterwards generator, number of threads and
    gradient mode are as they were.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            # torch.manual_seed would seed every GPU as well, which fork_rng does not restore here.
            torch.default_generator.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
