"""Where in a study file holes may stand."""

from __future__ import annotations

from study.spec.yaml_file import TreePath

SEARCHABLE: tuple[TreePath, ...] = (
    ("model",),
    ("train",),
    ("data", "split"),
    ("score", "sampler"),
    ("score", "steps"),
)
"""Where holes may stand. Everything else is what all trials share: two scores against different
images are never ranked against each other, and so a split is searched only if the scores do not
depend on it."""

SEARCHABLE_IN_SCORING: tuple[TreePath, ...] = (("score", "sampler"), ("score", "steps"))
"""Where holes may stand in a study with `weights`."""


def is_searchable(path: TreePath, places: tuple[TreePath, ...] = SEARCHABLE) -> bool:
    """Whether a path lies in one of these places."""
    return any(path[: len(place)] == place for place in places)


def listed(places: tuple[TreePath, ...] = SEARCHABLE) -> str:
    """Places for people: `model, train and data.split`."""
    *most, last = (".".join(map(str, place)) for place in places)
    return f"{', '.join(most)} and {last}"
