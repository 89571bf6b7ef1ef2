"""Torch's process group for a Ray Train worker group, joined on the workers alone.

Ray's own `TorchConfig` does this too, but importing it imports torch into every process that only
passes it on: the lane's trainable and Ray Train's controller. On two cores that is half of a lane's
start, and a gigabyte of memory. Here torch is imported where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig


@dataclass
class ProcessGroup(BackendConfig):  # type: ignore[misc]  # ray has no types
    """Join the workers with NCCL where each has a GPU of its own, with gloo elsewhere."""

    gpus_per_worker: float = 0.0

    @property
    def backend_cls(self) -> type[Backend]:
        """What Ray Train starts and stops."""
        return _ProcessGroupBackend


class _ProcessGroupBackend(Backend):  # type: ignore[misc]  # ray has no types
    def on_start(self, worker_group: Any, backend_config: ProcessGroup) -> None:
        world = len(worker_group)
        if world == 1:
            return
        # NCCL refuses two ranks on one GPU.
        backend = "nccl" if backend_config.gpus_per_worker >= 1 else "gloo"
        address = worker_group.execute_single(0, _free_address)
        joining = [
            worker_group.execute_single_async(rank, _join, backend, address, rank, world)
            for rank in range(world)
        ]
        ray.get(joining)

    def on_shutdown(self, worker_group: Any, backend_config: ProcessGroup) -> None:
        if len(worker_group) > 1:
            ray.get(worker_group.execute_async(_leave), timeout=10)


def _free_address() -> str:
    import socket

    with socket.socket() as probe:
        probe.bind(("", 0))
        port = probe.getsockname()[1]
    return f"tcp://{ray.util.get_node_ip_address()}:{port}"


def _join(backend: str, address: str, rank: int, world: int) -> None:
    import torch.distributed as dist

    dist.init_process_group(backend, init_method=address, rank=rank, world_size=world)


def _leave() -> None:
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
