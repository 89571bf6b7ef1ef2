"""`models` and `study` are ours in our processes, whatever lies where a person works.

Most people who train networks have a folder `models` of their own, and Python looks first where the
program or the shell stands. The distribution cannot put both packages under one name: every import
would have to say it, and in a checkout, where the packages are folders at the top, neither Python
nor the tools that read imports would find them there.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

HOME = Path(__file__).resolve().parents[1]
"""Where our packages are: site-packages, or the checkout."""


class OwnModels:
    """Finds the package `models` beside `study`; see `importlib.abc.MetaPathFinder`."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where `models` is; nothing of other modules."""
        if name != "models":
            return None
        folder = HOME / "models"
        return importlib.util.spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def claim_models() -> None:
    """Make `models` ours from here on.

    Raises:
        ImportError: Another package of that name is loaded already.
    """
    loaded = sys.modules.get("models")
    file = getattr(loaded, "__file__", None)
    if loaded is not None and (file is None or Path(file).resolve().parent != HOME / "models"):
        where = file or ", ".join(getattr(loaded, "__path__", ["?"]))
        raise ImportError(
            f"the package `models` of {where} is loaded, but fidtune has one of that name: "
            "give yours another name"
        )
    if OwnModels not in sys.meta_path:
        sys.meta_path.insert(0, OwnModels)


def hides_us(folder: str) -> bool:
    """Whether Python would take the `study` of a folder for ours, if it looked there first."""
    other = Path(folder).resolve()
    names = ("study", "study.py")
    return other != HOME and any((other / name).exists() for name in names)
