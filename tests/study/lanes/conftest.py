from __future__ import annotations

from collections.abc import Iterator

import pytest
from ray_nodes import RayNodes


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[RayNodes]:
    """A Ray cluster of two nodes with one CPU each, with a dashboard and tokens."""
    nodes = RayNodes()
    try:
        nodes.start_head()
        nodes.start_node()
        yield nodes
    finally:
        nodes.stop()
