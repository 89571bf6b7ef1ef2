"""The table of trials that were scored again."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from study.results.collapsed import collapsed_notes
from study.results.identity import SEARCHED, in_words
from study.results.render import cell
from study.results.rescored import Rescored
from study.results.trial_table import trial_table, with_spread


def rescore_table(rescored: Rescored, width: int | None = None) -> RenderableType:
    """Trials that were scored again in one way, beside what they scored before.

    Args:
        rescored: One of what `rescored` returned.
        width: Characters a line; those of the terminal by default.
    """
    places = {
        row.trial: place
        for place, row in enumerate(
            sorted(
                (row for row in rescored.trials if row.before is not None),
                key=lambda row: (row.before or 0.0, row.trial),
            ),
            1,
        )
    }
    columns = {
        "rank": [str(place) for place in range(1, len(rescored.trials) + 1)],
        "trial": [str(row.trial) for row in rescored.trials],
        "rescored": [with_spread(row.value, row.spread) for row in rescored.trials],
        "seeds": [str(row.seeds) for row in rescored.trials],
    }
    if places:
        columns["before"] = [
            "" if row.before is None else cell(row.before) for row in rescored.trials
        ]
        columns["rank before"] = [cell(places.get(row.trial)) for row in rescored.trials]
    chosen = [{part: getattr(row.measured, part) for part in SEARCHED} for row in rescored.trials]
    return trial_table(columns, chosen, width, in_words(rescored.measured), list(_notes(rescored)))


def _notes(rescored: Rescored) -> Iterable[str]:
    if any(row.spread for row in rescored.trials):
        yield "± is the noise of sampling (95 %)"
    yield from collapsed_notes((row.trial, row.collapsed) for row in rescored.trials)
    without = [str(row.trial) for row in rescored.trials if row.before is None]
    if rescored.before_measured is not None:
        final = all(row.final for row in rescored.trials if row.before is not None)
        missing = f"; none of trial {', '.join(without)}" if without else ""
        if len(without) > 1:
            missing = missing.replace("trial", "trials")
        stage = "the final score" if final else "the search's score"
        yield f"before: {stage}, {in_words(rescored.before_measured)}{missing}"
    if rescored.agreement is not None:
        yield f"both scores agree on the order by {rescored.agreement}"
