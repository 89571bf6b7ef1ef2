"""What a search reaches: which dimensions its sampler searches, and how many points there are."""

from __future__ import annotations

from collections.abc import Mapping

from study.spec.holes import Choice
from study.spec.search import SEARCH_SAMPLERS, Search
from study.spec.space import Space
from study.spec.tree import Dimension


def open_dimensions(space: Space) -> list[Dimension]:
    """The dimensions that have more than one value."""
    return [each for each in space.dimensions() if _several(each)]


def not_searched(space: Space, search: Search) -> Mapping[str, str]:
    """The dimensions that the sampler draws at random, by name, and why.

    Those with a single value are left out.
    """
    info = SEARCH_SAMPLERS[search.sampler]
    reasons: dict[str, str] = {}
    for dimension in open_dimensions(space):
        if isinstance(dimension.hole, Choice) and not info.searches_choices:
            reasons[dimension.name] = "a choice"
        elif space.conditional(dimension) and not info.searches_branches:
            reasons[dimension.name] = "in a branch"
    return reasons


def reach_notes(space: Space, search: Search) -> list[str]:
    """What a user may not expect of a search, a line each."""
    notes = []
    drawn = not_searched(space, search)
    if drawn:
        listed = ", ".join(f"{name} ({why})" for name, why in drawn.items())
        notes.append(f"the sampler {search.sampler} does not search, but draws at random: {listed}")
    info = SEARCH_SAMPLERS[search.sampler]
    if 1 < search.trials <= info.random_trials and open_dimensions(space):
        notes.append(
            f"the sampler {search.sampler} draws at random until {info.random_trials} trials have "
            f"ended: all {search.trials} of this study"
        )
    size = space.size
    if size is not None and size < search.trials:
        points = "1 point" if size == 1 else f"{size:,} points"
        if info.enumerates:
            notes.append(f"the grid has {points}: {size:,} of {search.trials:,} trials are run")
        else:
            notes.append(
                f"the space has {points}: at most {size:,} of {search.trials:,} trials can differ, "
                "others repeat a point"
            )
    return notes


def _several(dimension: Dimension) -> bool:
    hole = dimension.hole
    return len(hole.labels) > 1 if isinstance(hole, Choice) else hole.size != 1
