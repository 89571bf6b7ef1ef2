"""The finalists of a study: trained again with fresh seeds, scored in full, and what that tells."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from study.results.identity import (
    Row,
    check_comparable,
    common,
    finite,
    full_score,
    identity,
    is_final,
    overridden,
    picked,
    present,
)
from study.results.intervals import Standing, VarianceSplit, standings, variance_split
from study.results.rank_correlation import Agreement, agreement
from study.results.ranking import configuration, trials_and_scores
from study.results.storage import Storage
from study.results.tables import ConfigValue


@dataclass(frozen=True)
class FinalRun:
    """A training run of a finalist.

    Attributes:
        trial: Its number in the study.
        epoch: Of the weights that were scored.
        scores: Score of each sampling seed.
    """

    trial: int
    epoch: int
    scores: Mapping[int, float]


@dataclass(frozen=True)
class Finalist:
    """A trial of the search that was trained again.

    Attributes:
        trial: Its number in the search.
        standing: Mean, interval and rank of its final scores.
        runs: Its training runs, best mean first.
        search_value: What it scored in the search; None if its row is not there.
        search_spread: Standard error of that, over the choice of generated images.
        config: Value of each parameter by its path.
        picks: Of these, what the search chose.
    """

    trial: int
    standing: Standing
    runs: tuple[FinalRun, ...]
    search_value: float | None
    search_spread: float | None
    config: Mapping[str, ConfigValue]
    picks: Mapping[str, ConfigValue]


@dataclass(frozen=True)
class Finals:
    """The finalists of a study.

    Attributes:
        finalists: Those with a final score, by rising mean.
        split: How much of the variance is training's and how much sampling's; None without scores.
        agreement: How well the search score foretold the final mean.
        measured: What all final scores measure: one of their rows, without `sampler` or `steps`
            where each family has its own; None without scores.
        unfinished: Number of final runs that have not ended, or have no score yet.
        failed: Number of final runs that failed or were stopped.
        overridden: Keys of `score:` that the final runs have otherwise than the search.
    """

    finalists: tuple[Finalist, ...]
    split: VarianceSplit | None
    agreement: Agreement | None
    unfinished: int
    failed: int
    overridden: frozenset[str] = frozenset()
    measured: Row | None = field(default=None, repr=False, compare=False)


def finals(storage: Storage, study: str) -> Finals | None:
    """The finalists of a study; None if it has no final runs.

    Raises:
        UserError: There is no such study, or its final scores cannot be compared.
    """
    return finals_of(*trials_and_scores(storage, study))


def finals_of(trials: Sequence[Row], scores: Sequence[Row]) -> Finals | None:
    """The finalists among the trials of one study; None if there are no final runs.

    Args:
        trials: Newest rows of `trials`.
        scores: Newest rows of `scores` of the same study.

    Raises:
        UserError: Two of the final scores were not measured in the same way.
    """
    final = [trial for trial in trials if is_final(trial) and present(trial["repeats"]) is not None]
    if not final:
        return None
    by_run = {trial["trial"]: _final_scores(trial, scores) for trial in final}
    counted = [t for t in final if t["state"] == "complete" and by_run[t["trial"]]]
    check_comparable((trial, score) for trial in counted for score in by_run[trial["trial"]])
    runs: dict[int, list[FinalRun]] = {}
    for trial in counted:
        rows = by_run[trial["trial"]]
        run = FinalRun(
            trial["trial"],
            max(int(row["epoch"]) for row in rows),
            {int(row["seed"]): float(row["value"]) for row in rows},
        )
        runs.setdefault(int(trial["repeats"]), []).append(run)
    repeated = {k: [list(run.scores.values()) for run in each] for k, each in runs.items()}
    finalists = tuple(
        _finalist(standing, runs[standing.candidate], trials, scores)
        for standing in (standings(repeated) if repeated else ())
    )
    stopped = sum(trial["state"] in ("failed", "pruned") for trial in final)
    return Finals(
        finalists=finalists,
        split=variance_split(repeated) if repeated else None,
        agreement=agreement([(each.search_value, each.standing.mean) for each in finalists]),
        unfinished=len(final) - len(counted) - stopped,
        failed=stopped,
        overridden=overridden(trials),
        measured=common([row for trial in counted for row in by_run[trial["trial"]]]),
    )


def _final_scores(trial: Row, scores: Sequence[Row]) -> list[Row]:
    """The final scores of a run, of its own metric and its last epoch."""
    full = full_score(trial)
    found = [
        score
        for score in scores
        if score["trial"] == trial["trial"]
        and score["stage"] == "final"
        and finite(score["value"]) is not None
        and (full is None or score["metric"] == full[0])
    ]
    last = max((int(score["epoch"]) for score in found), default=0)
    return [score for score in found if int(score["epoch"]) == last]


def _finalist(
    standing: Standing, runs: Sequence[FinalRun], trials: Sequence[Row], scores: Sequence[Row]
) -> Finalist:
    trial = picked(trials, standing.candidate)
    # A final run has its trial's configuration: take it from there if the trial's row is lost.
    known = trial or picked(trials, runs[0].trial) or {}
    value = None if trial is None else finite(trial["value"])
    spreads = [
        finite(score.get("spread"))
        for score in scores
        if (score["trial"], score["stage"], score["value"]) == (standing.candidate, "search", value)
    ]
    return Finalist(
        trial=standing.candidate,
        standing=standing,
        runs=tuple(sorted(runs, key=lambda run: fmean(run.scores.values()))),
        search_value=value,
        search_spread=spreads[-1] if spreads else None,
        config=configuration(known),
        picks=json.loads(known.get("picks") or "{}"),
    )


def identity_of(found: Finals) -> dict[str, object]:
    """What the final scores measure, by column of `scores`; empty if there are none."""
    return identity(found.measured) if found.measured is not None else {}
