"""What a score measures: two scores are compared only if they measure the same thing."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from study.results.tables import ScoreRow, TrialRow
from study.spec.errors import UserError


@dataclass(frozen=True)
class Identity:
    """What two scores must have in common to be compared: columns of `scores`.

    Of several scores, `sampler` and `steps` are None where they are each trial's own.
    """

    metric: str
    samples: int
    sampler: str | None
    steps: int | None
    embedder: str
    reference: str
    weights: str


IDENTITY: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Identity))
"""The columns of `Identity`."""

SEARCHED = ("sampler", "steps")
"""Those of them that a study may leave to its trials: see `chooses_sampler`."""


def identity(score: ScoreRow) -> Identity:
    """What a score measures."""
    return Identity(
        metric=score.metric,
        samples=score.samples,
        sampler=score.sampler,
        steps=score.steps,
        embedder=score.embedder,
        reference=score.reference,
        weights=score.weights,
    )


def differing(one: Identity, other: Identity) -> list[str]:
    """The columns in which two scores differ."""
    return [part for part in IDENTITY if getattr(one, part) != getattr(other, part)]


def first_conflict(one: tuple[TrialRow, ScoreRow], other: tuple[TrialRow, ScoreRow]) -> str | None:
    """The first column that keeps two trials from being ranked together by these scores, if any."""
    free = SEARCHED if chooses_sampler(one[0]) and chooses_sampler(other[0]) else ()
    parts = differing(identity(one[1]), identity(other[1]))
    return next((part for part in parts if part not in free), None)


def check_comparable(entries: Iterable[tuple[TrialRow, ScoreRow]]) -> None:
    """Raise UserError unless all scores measure the same.

    Args:
        entries: Trials, each with the score that it is compared by.
    """
    first: tuple[TrialRow, ScoreRow] | None = None
    for trial, score in entries:
        first = first or (trial, score)
        part = first_conflict(first, (trial, score))
        if part is not None:
            raise UserError(
                f"Trials {first[0].trial} and {trial.trial} cannot be ranked together: their "
                f"scores differ in `{part}`, {getattr(first[1], part)!r} and "
                f"{getattr(score, part)!r}"
            )


def chooses_sampler(trial: TrialRow) -> bool:
    """Whether how images are made belongs to the trial, not to how it is measured.

    It does where the search chose it (a hole in `score.sampler` or `score.steps`), and where each
    family makes them in its own way (`sampler: auto`).
    """
    searched = any(name.startswith("score.") for name in trial.picks)
    return searched or trial.config.get("score.sampler.kind") == "auto"


def overridden(trials: Sequence[TrialRow]) -> frozenset[str]:
    """Keys of `score:` that final runs have otherwise than the trials that they train again.

    `finalists:` in a study file sets them, whatever the search chose there.

    Args:
        trials: All trials of a study.
    """
    by_number = {trial.trial: trial for trial in trials}
    keys: set[str] = set()
    for run in trials:
        if run.stage != "final" or run.repeats not in by_number:
            continue
        ours, theirs = run.spec.get("score"), by_number[run.repeats].spec.get("score")
        if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
            keys |= {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
    return frozenset(keys)


def in_words(measured: Identity) -> str:
    """What a score measures; digests are left out."""
    sampler = measured.sampler or "each trial's own sampler"
    means = sampler if measured.steps is None else f"{sampler} in {measured.steps} steps"
    last = ", the trained weights" if measured.weights == "trained" else ""
    return f"{measured.metric} of {measured.samples:,} images by {means}{last}"


def common(identities: Sequence[Identity]) -> Identity | None:
    """What scores that may be ranked together have in common; None if there are none."""
    if not identities:
        return None
    first = identities[0]
    return replace(
        first,
        sampler=first.sampler if len({each.sampler for each in identities}) == 1 else None,
        steps=first.steps if len({each.steps for each in identities}) == 1 else None,
    )
