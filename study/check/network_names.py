"""Networks that a study draws, in a few words."""

from __future__ import annotations

from collections.abc import Sequence

from study.check.costs import Key


def network_name(key: Key) -> str:
    """A network in a few words: its family and what kinds of parts it has."""
    parts = dict(key)
    kinds = [parts[n] for n in ("model.network.kind", "model.generator.kind") if n in parts]
    return " ".join([str(parts["model.family"]), *kinds])


def distinct_names(keys: Sequence[Key]) -> dict[Key, str]:
    """Each network's name with what it has otherwise than another one of that name."""
    leaves = {key: _with_lists(key) for key in keys}
    names: dict[Key, str] = {}
    for key in keys:
        alike = [leaves[other] for other in keys if network_name(other) == network_name(key)]
        differing = [
            path
            for path in leaves[key]
            if any(other.get(path) != leaves[key][path] for other in alike)
        ]
        shown = (f"{path.rpartition('.')[2]}={leaves[key][path]}" for path in differing)
        names[key] = " ".join([network_name(key), *shown])
    return names


def _with_lists(key: Key) -> dict[str, str]:
    """A key's values as text, the entries of a list in one."""
    values: dict[str, list[str]] = {}
    for path, value in key:
        name, _, last = path.rpartition(".")
        values.setdefault(name if last.isdigit() else path, []).append(str(value))
    return {path: ",".join(each) for path, each in values.items()}
