"""What a score measures: two scores are compared only if they measure the same thing."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.results.tables import CONFIG_PREFIX
from study.spec.errors import UserError
from study.spec.names import METRICS, metric_name

IDENTITY = ("metric", "samples", "sampler", "steps", "embedder", "reference", "weights")
"""What two scores must have in common to be compared; columns of `scores`."""

SEARCHED = ("sampler", "steps")
"""Those of them that a study may leave to its trials: see `chooses_sampler`."""

Row = Mapping[str, Any]


def identity(score: Row) -> dict[str, Any]:
    """The columns of a row of `scores` that say what it measures, by name."""
    found = {part: present(score.get(part)) for part in IDENTITY}
    found["weights"] = found["weights"] or "averaged"  # ledgers from before it was written
    return found


def check_comparable(entries: Iterable[tuple[Row, Row]]) -> None:
    """Raise UserError unless all scores measure the same.

    Args:
        entries: Rows of `trials`, each with the row of `scores` that it is compared by.
    """
    first: tuple[Row, Row] | None = None
    for trial, score in entries:
        first = first or (trial, score)
        ours, theirs = identity(score), identity(first[1])
        free = chooses_sampler(trial) and chooses_sampler(first[0])
        for part in IDENTITY:
            if ours[part] != theirs[part] and not (free and part in SEARCHED):
                raise UserError(
                    f"Trials {first[0]['trial']} and {trial['trial']} cannot be ranked together: "
                    f"their scores differ in `{part}`, {theirs[part]!r} and {ours[part]!r}"
                )


def chooses_sampler(trial: Row) -> bool:
    """Whether how images are made belongs to the trial, not to how it is measured.

    It does where the search chose it (a hole in `score.sampler` or `score.steps`), and where each
    family makes them in its own way (`sampler: auto`).
    """
    picks = json.loads(trial.get("picks") or "{}")
    searched = any(name.startswith("score.") for name in picks)
    return searched or bool(trial.get(f"{CONFIG_PREFIX}score.sampler.kind") == "auto")


def overridden(trials: Sequence[Row]) -> frozenset[str]:
    """Keys of `score:` that final runs have otherwise than the trials that they train again.

    `finalists:` in a study file sets them, whatever the search chose there.

    Args:
        trials: All trials of a study.
    """
    found: set[str] = set()
    for run in trials:
        repeats = present(run.get("repeats")) if is_final(run) else None
        trial = None if repeats is None else picked(trials, int(repeats))
        ours, theirs = settings(run).get("score"), settings(trial or {}).get("score")
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            found |= {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
    return frozenset(found)


def full_score(trial: Row) -> tuple[str, int] | None:
    """Metric and number of images of the score at a trial's end; None if its row does not say."""
    score = settings(trial).get("score")
    if not isinstance(score, Mapping) or not {"metric", "samples"} <= score.keys():
        return None
    measure, embedder = METRICS.get(score["metric"], (None, None))
    embedder = embedder or score.get("embedder")
    name = metric_name(measure, embedder) if measure and embedder else score["metric"]
    return name, int(score["samples"])


def objectives(trials: Iterable[Row]) -> tuple[str, ...]:
    """What the study minimises, by what its trials say of it."""
    for trial in trials:
        search = settings(trial).get("search")
        if isinstance(search, Mapping) and search.get("objectives"):
            return tuple(search["objectives"])
    return ("score",)


def told(score: Row) -> str:
    """What a score measures, in words; digests are left out.

    Args:
        score: A row of `scores`, or what is common to several: `sampler` and `steps` are None where
            they are each trial's own.
    """
    steps, sampler = present(score["steps"]), score["sampler"] or "each trial's own sampler"
    how = sampler if steps is None else f"{sampler} in {int(steps)} steps"
    last = ", the trained weights" if score.get("weights") == "trained" else ""
    return f"{score['metric']} of {int(score['samples']):,} images by {how}{last}"


def common(scores: Sequence[Row]) -> Row | None:
    """What scores that may be ranked together have in common: a row; None if there are none.

    Its `sampler` and `steps` are None where they differ.
    """
    if not scores:
        return None
    own = [part for part in SEARCHED if len({present(score[part]) for score in scores}) > 1]
    return {**scores[0], **dict.fromkeys(own)}


def settings(trial: Row) -> dict[str, Any]:
    """The filled configuration of a trial."""
    found = json.loads(trial.get("spec") or "{}")
    return found if isinstance(found, dict) else {}


def of_search(trials: Iterable[Row]) -> list[Row]:
    """Trials of the search; rows from before final runs were there say nothing of it."""
    return [trial for trial in trials if not is_final(trial)]


def is_final(trial: Row) -> bool:
    """Whether a trial is a final run, which trains a trial of the search again."""
    return bool(present(trial.get("stage")) == "final")


def picked(trials: Sequence[Row], number: int) -> Row | None:
    """The row of a trial by its number."""
    return next((trial for trial in trials if trial["trial"] == number), None)


def present(value: Any) -> Any:
    """The value, or None where it is null, which pandas says with NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value


def finite(value: Any) -> float | None:
    """The number, or None where it is null or none."""
    return None if value is None or not math.isfinite(value) else float(value)
