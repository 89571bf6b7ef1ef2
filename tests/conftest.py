"""What all tests share: one Ray for the session, started only if a test asks for it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # it may be busy
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A Ray of our own with two CPUs, whatever else runs on this machine."""
    import ray

    os.environ["RAY_AUTH_MODE"] = "disabled"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(
        address="local",
        num_cpus=2,
        # Ray Train frees what a dead controller held by asking the dashboard who is alive.
        include_dashboard=True,
        dashboard_host="127.0.0.1",
        object_store_memory=128 * 2**20,
        log_to_driver=False,
        logging_level=logging.ERROR,
        namespace="fidtune",
    )
    yield
    ray.shutdown()
