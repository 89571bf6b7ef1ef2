from __future__ import annotations

from pathlib import Path

import pytest
from paths import SHARED_DATA


@pytest.fixture
def real_data() -> Path:
    """Pictures that may not be given away, where they lie beside the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"extra: there is no {SHARED_DATA}")
    return SHARED_DATA
