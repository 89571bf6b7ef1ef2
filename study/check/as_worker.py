"""Trying a network as a worker would run it, where it may turn out to be too large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from study.check.costs import Limits
from study.spec import UserError


def or_none(act: Callable[..., float], *arguments: Any) -> float | None:
    """What an act answers; None if there is no memory for it."""
    try:
        return act(*arguments)
    except (MemoryError, torch.OutOfMemoryError):
        return None
    except RuntimeError as error:
        if _is_memory(error):
            return None
        raise


def _is_memory(error: RuntimeError) -> bool:
    """Whether torch's allocator of the CPU has failed, which has no error class of its own."""
    return "DefaultCPUAllocator" in str(error)


class AsWorker:
    """Threads as a worker has them, and errors as a user is to see them."""

    def __init__(self, limits: Limits) -> None:
        self.threads = limits.threads

    def __enter__(self) -> None:
        self.before = torch.get_num_threads()
        torch.set_num_threads(self.threads)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> None:
        torch.set_num_threads(self.before)
        if isinstance(error, torch.OutOfMemoryError) or (
            isinstance(error, RuntimeError) and _is_memory(error)
        ):
            raise MemoryError(str(error)) from error
        if isinstance(error, ValueError) and not isinstance(error, UserError):
            # A precision that the device does not have, say.
            raise UserError(str(error)) from error
