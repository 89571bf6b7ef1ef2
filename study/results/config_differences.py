"""In what configurations differ, and short names for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from study.results.tables import ConfigValue


def varying(configs: Sequence[Mapping[str, ConfigValue]]) -> list[str]:
    """Names of the parameters that are not the same in all configurations, in their order."""
    names = list(dict.fromkeys(name for config in configs for name in config))
    return [name for name in names if len({repr(config.get(name)) for config in configs}) > 1]


def shorten(names: Sequence[str]) -> dict[str, str]:
    """For each dotted name, the shortest ending that no other of the names has."""
    endings = {name: _endings(name) for name in names}
    count = Counter(ending for each in endings.values() for ending in each)
    return {
        name: next((ending for ending in each if count[ending] == 1), name)
        for name, each in endings.items()
    }


def _endings(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[start:]) for start in range(len(parts) - 1, -1, -1)]
