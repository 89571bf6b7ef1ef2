"""fidtune under its own name: `import fidtune`, and `python -m fidtune`.

It is the package `study`, also where another `study` would be found first.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any


def _load() -> Any:
    """The package `study` beside this file."""
    file = Path(__file__).resolve().with_name("study") / "__init__.py"
    loaded = sys.modules.get("study")
    if loaded is not None:
        if Path(loaded.__file__ or "").resolve() != file:
            raise ImportError(
                f"the package `study` of {loaded.__file__} is loaded, but fidtune has one of that "
                "name: import fidtune first"
            )
        return loaded
    spec = importlib.util.spec_from_file_location(
        "study", file, submodule_search_locations=[str(file.parent)]
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules["study"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    return package


_study = _load()
__all__ = list(_study.__all__)


def __getattr__(name: str) -> Any:
    return getattr(_study, name)


def __dir__() -> list[str]:
    return dir(_study)


if __name__ == "__main__":
    from study.cli import main

    main()
