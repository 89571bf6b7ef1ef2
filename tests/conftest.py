"""What all tests share: the order in which they run, and one Ray, started if a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

# Several test processes run side by side, and tests are small: more threads only wait for each
# other. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

settings.register_profile("any machine", deadline=None)  # it may be busy
settings.load_profile("any machine")

RAY_FIXTURES = {"ray_session", "two_nodes"}
RAY_FILES = ("tests/study/lanes/", "tests/test_recipes_run.py", "tests/test_own_packages.py")
"""Files of tests that take a Ray: they share one, in one process."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that take a Ray, and run them before the others, and slow ones next.

    They wait more than they compute, so that the rest goes on beside them.
    """
    for item in items:
        if RAY_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("ray")
            assert _group(item.nodeid) == "ray", f"{item.nodeid}: RAY_FILES lacks its file"
    items.sort(key=lambda item: (_place(item), str(item.path)))


def _place(item: pytest.Item) -> int:
    if _group(item.nodeid) == "ray":
        return 0
    return 1 if item.get_closest_marker("slow") else 2


def _group(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    return "ray" if path.startswith(RAY_FILES) else path


class GroupScheduling(LoadScopeScheduling):
    """Which process of several runs a test: all of a file in one, and all that take a Ray."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> GroupScheduling:
    """The scheduler for `--numprocesses`."""
    return GroupScheduling(config, log)


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """A Ray of our own with two CPUs, whatever else runs on this machine."""
    import ray

    from study.lanes.local_ray import start_ray

    os.environ["RAY_AUTH_MODE"] = "disabled"
    start_ray(cpus=2)
    yield
    ray.shutdown()
