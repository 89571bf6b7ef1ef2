from __future__ import annotations

from typing import Any

import pytest

from models import (
    build_family,
)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_networks", "must be package.module:Class"),
        ("no_such_module:Net", "but No module named 'no_such_module'"),
        ("own_networks:Missing", "has no class `Missing`"),
        ("own_networks:limit", "has no class `limit`"),
        ("builtins:list", "which makes a list, but must make a torch.nn.Module"),
    ],
)
def test_a_wrong_import_path_is_reported(
    model: dict[str, Any], own_module: str, path: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_family(model | {"network": {"kind": "custom", "path": path}}, (1, 8, 8), seed=0)
