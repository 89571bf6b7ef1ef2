"""Trees with holes at random places, and choosers that fill them at random."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import strategies as st

from study.spec.holes import Choice, Label
from study.spec.tree import Dimension


def drawn(seed: int) -> Any:
    """A chooser that answers at random, ends included."""
    source = random.Random(seed)

    def choose(dimension: Dimension) -> Label:
        hole = dimension.hole
        if isinstance(hole, Choice):
            return source.choice(hole.labels)
        grid = hole.grid()
        if grid is not None:
            return source.choice(grid)
        if hole.kind == "int":
            return source.randint(int(hole.low), int(hole.high))
        return source.choice([hole.low, hole.high, source.uniform(hole.low, hole.high)])

    return choose


names = st.sampled_from(["alpha", "beta", "gamma"])


scalars = st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["adam", "sgd"])


ranges = st.builds(
    lambda kind, low, width, step: {kind: [low, low + width], **({"step": step} if step else {})},
    st.sampled_from(["int", "float"]),
    st.integers(-5, 5),
    st.integers(0, 6),
    st.none() | st.integers(1, 3),
)


def holed(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A section, a list, or a choice of scalars or of branches, with anything inside."""
    sections = st.dictionaries(names, below, max_size=3)
    branches = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).flatmap(
        lambda kinds: st.tuples(*(sections.map(lambda s, k=k: {"kind": k, **s}) for k in kinds))
    )
    options = st.lists(st.sampled_from([1, 2, "x", None, "y"]), min_size=1, max_size=4, unique=True)
    return (
        sections
        | st.lists(below, max_size=2)
        | options.map(lambda chosen: {"choice": chosen})
        | branches.map(lambda chosen: {"choice": [*chosen]})
        | branches.map(lambda chosen: {"choice": dict(zip("xyz", chosen, strict=False))})
        | options.map(lambda chosen: {"choice": dict(zip("wxyz", chosen, strict=False))})
    )


trees = st.dictionaries(
    names, st.recursive(scalars | ranges, holed, max_leaves=8), min_size=1, max_size=3
)
