"""Whether all nodes of a cluster see one and the same storage."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from study.driver.placement import Placement
from study.results.storage import Storage
from study.spec import UserError

LOOK_SECONDS = 60.0
"""How long the nodes may take to look. Most of it is Ray starting a process on each."""


def check_shared(storage: Storage, placement: Placement) -> None:
    """Make sure that every node that may hold a worker sees the folder that studies go to.

    A node that joins later looks for itself, when its first worker starts (see `worker.work`).

    Raises:
        UserError: A node does not.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and _fits(node, placement)]
    if not storage.is_local or len(nodes) < 2:
        return
    # The storage itself need not exist yet: its nearest ancestor does.
    folder = next(
        path for path in (Path(storage.root), *Path(storage.root).parents) if path.exists()
    )
    probe = folder / f".probe-{uuid.uuid4().hex}"
    probe.touch()
    try:
        looks = {_look(str(probe), node["NodeID"]): node for node in nodes}
        done, _ = ray.wait(list(looks), num_returns=len(looks), timeout=LOOK_SECONDS)
        blind = [looks[look]["NodeManagerHostname"] for look in done if not ray.get(look)]
    finally:
        probe.unlink()
    if blind:
        raise UserError(
            f"the storage {storage.uri} is not the same folder on node {blind[0]}: "
            "use a shared folder or s3://"
        )


def _look(path: str, node: str) -> ray.ObjectRef:
    strategy = NodeAffinitySchedulingStrategy(node, soft=False)
    options = {"num_cpus": 0, "name": "look for the storage", "scheduling_strategy": strategy}
    return ray.remote(os.path.exists).options(**options).remote(path)


def _fits(node: dict[str, dict[str, float]], placement: Placement) -> bool:
    has = node["Resources"]
    return has.get("CPU", 0) >= placement.cpus and has.get("GPU", 0) >= placement.gpus
