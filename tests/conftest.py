"""What all tests share: the order in which they run, and one Ray, started if a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator

# Several test processes run side by side, and tests are small: more threads only wait for each
# other. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # it may be busy
settings.load_profile("any machine")

RAY_FIXTURES = {"ray_session", "two_nodes"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take a Ray; run them in one process, and before the others.

    They wait more than they compute, so that the rest goes on beside them. All other tests of a
    file stay in one process too, for the sake of what they share.
    """
    for item in items:
        if RAY_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("ray")
        group = "ray" if item.get_closest_marker("ray") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: (_place(item), str(item.path)))


def _place(item: pytest.Item) -> int:
    for place, marker in enumerate(("ray", "slow")):
        if item.get_closest_marker(marker):
            return place
    return 2


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A Ray of our own with two CPUs, whatever else runs on this machine."""
    import ray

    from study.lanes.cluster import start_ray

    os.environ["RAY_AUTH_MODE"] = "disabled"
    start_ray(cpus=2)
    yield
    ray.shutdown()
