from __future__ import annotations

from pathlib import Path
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
        (
            "models.mine:Net",
            "but `models` is fidtune's own package here: give yours another name",
        ),
        ("own_broken:Net", "whose import fails: ZeroDivisionError: division by zero"),
        ("own_networks:Refusing", "cannot be made: RuntimeError: not today"),
        ("builtins:list", "which makes a list, but must make a torch.nn.Module"),
    ],
)
def test_a_wrong_import_path_is_reported(
    model: dict[str, Any], own_module: str, tmp_path: Path, path: str, message: str
) -> None:
    (tmp_path / "own_broken.py").write_text("1 / 0", encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        build_family(model | {"network": {"kind": "custom", "path": path}}, (1, 8, 8), seed=0)
