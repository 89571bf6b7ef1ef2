"""How many lanes fit a cluster, or this machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from study.spec import UserError
from study.spec.study import Scale

Resources = Mapping[str, float]
"""CPU and GPU, of a node or of a whole cluster."""


@dataclass(frozen=True)
class Placement:
    """How a study's lanes go onto a cluster. CPUs and GPUs are each worker's."""

    lanes: int
    workers: int
    cpus: float
    gpus: float

    def __str__(self) -> str:
        lanes = "1 lane" if self.lanes == 1 else f"{self.lanes} lanes"
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        each = " each" if self.workers > 1 else ""
        return f"{lanes} of {workers} with {self.cpus:g} CPU{gpus}{each}"


def place(scale: Scale, available: tuple[Resources, ...], trials: int) -> Placement:
    """How many lanes fit, by the scarcest resource.

    Args:
        scale: The study's wishes.
        available: What each node has, or would have once added; a worker must fit one of them.
        trials: How many trials there are: no more lanes than that are useful.

    Raises:
        UserError: One lane's workers could never all be placed.
    """
    gpus = scale.gpus_per_worker
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in available) else 0.0
    room = sum(_workers_in(node, scale.cpus_per_worker, gpus) for node in available)
    fit = room // scale.workers_per_trial
    if fit < 1:
        wanted = f"{scale.workers_per_trial} workers" if scale.workers_per_trial > 1 else "a worker"
        needs = f"{scale.cpus_per_worker:g} CPU" + (f" and {gpus:g} GPU" if gpus else "")
        each = " each" if scale.workers_per_trial > 1 else ""
        has = " and ".join(
            f"{sum(node.get(name, 0) for node in available):g} {name}" for name in ("CPU", "GPU")
        )
        raise UserError(
            f"scale: {wanted} with {needs}{each} can never be placed: "
            f"there is room for {room} ({has} in all)"
        )
    return Placement(
        lanes=max(1, min(fit, scale.lanes or fit, trials)),
        workers=scale.workers_per_trial,
        cpus=scale.cpus_per_worker,
        gpus=gpus,
    )


def this_machine() -> Resources:
    """CPU and GPU of this machine, as a Ray started here would count them."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    devices = os.listdir("/dev") if os.path.isdir("/dev") else []
    gpus = sum(name[6:].isdigit() for name in devices if name.startswith("nvidia"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        gpus = min(gpus, sum(name.strip() not in ("", "-1") for name in visible.split(",")))
    return {"CPU": float(cpus or 1), "GPU": float(gpus)}


def _workers_in(node: Resources, cpus: float, gpus: float) -> int:
    # Four workers of a quarter GPU fit one GPU, in spite of rounding.
    by_cpu = int(node.get("CPU", 0) / cpus + 1e-9)
    return min(by_cpu, int(node.get("GPU", 0) / gpus + 1e-9)) if gpus else by_cpu
