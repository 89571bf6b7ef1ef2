"""The finalists of a study: trained again with fresh seeds, scored in full, and what that tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from study.results.collapsed import any_collapsed
from study.results.html import WIDE, to_html
from study.results.identity import Identity, check_comparable, common, identity, overridden
from study.results.intervals import Standing, VarianceSplit, standings, variance_split
from study.results.objective import final_scores, objective_score, scores_by_trial
from study.results.rank_correlation import Agreement, agreement
from study.results.render import to_text
from study.results.tables import ConfigValue, ScoreRow, TrialRow


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
        collapsed: Whether the images of any of its runs hardly vary, or have a recall of 0; None if
            unknown.
    """

    trial: int
    standing: Standing
    runs: tuple[FinalRun, ...]
    search_value: float | None
    search_spread: float | None
    config: Mapping[str, ConfigValue]
    picks: Mapping[str, ConfigValue]
    collapsed: bool | None = None


@dataclass(frozen=True, repr=False)
class Finals:
    """The finalists of a study.

    Attributes:
        finalists: Those with a final score, by rising mean.
        split: How much of the variance is training's and how much sampling's; None without scores.
        agreement: How well the search score predicted the final mean.
        measured: What all final scores measure; None without scores.
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
    measured: Identity | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        """The table, as text."""
        from study.results.finalists_table import finals_table

        return to_text(finals_table(self))

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        from study.results.finalists_table import finals_table

        return to_html(finals_table(self, WIDE))


def rank_finalists(trials: Sequence[TrialRow], scores: Sequence[ScoreRow]) -> Finals | None:
    """Rank the finalists among the trials of one study; None if there are no final runs.

    Args:
        trials: Newest rows of `trials`.
        scores: Newest rows of `scores` of the same study.

    Raises:
        UserError: Two of the final scores were not measured in the same way.
    """
    by_trial = scores_by_trial(scores)
    final = [trial for trial in trials if trial.stage == "final" and trial.repeats is not None]
    if not final:
        return None
    scored = [
        (run, own)
        for run in final
        if run.state == "complete" and (own := final_scores(run, by_trial.get(run.trial, ())))
    ]
    check_comparable((run, score) for run, own in scored for score in own)
    runs: dict[int, list[FinalRun]] = {}
    for run, own in scored:
        assert run.repeats is not None
        values = {score.seed: score.value for score in own}
        runs.setdefault(run.repeats, []).append(FinalRun(run.trial, own[0].epoch, values))
    repeated = {k: [list(run.scores.values()) for run in each] for k, each in runs.items()}
    rows = {trial.trial: trial for trial in trials}
    finalists = tuple(
        _finalist(standing, runs[standing.candidate], rows, by_trial)
        for standing in (standings(repeated) if repeated else ())
    )
    stopped = sum(run.state in ("failed", "pruned") for run in final)
    return Finals(
        finalists=finalists,
        split=variance_split(repeated) if repeated else None,
        agreement=agreement([(each.search_value, each.standing.mean) for each in finalists]),
        unfinished=len(final) - len(scored) - stopped,
        failed=stopped,
        overridden=overridden(trials),
        measured=common([identity(score) for _, own in scored for score in own]),
    )


def _finalist(
    standing: Standing,
    runs: Sequence[FinalRun],
    rows: Mapping[int, TrialRow],
    scores: Mapping[int, Sequence[ScoreRow]],
) -> Finalist:
    trial = rows.get(standing.candidate)
    score = None if trial is None else objective_score(trial, scores.get(trial.trial, ()))
    # A final run has its trial's configuration: take it from there if the trial's row is lost.
    known = trial or rows[runs[0].trial]
    return Finalist(
        trial=standing.candidate,
        standing=standing,
        runs=tuple(sorted(runs, key=lambda run: fmean(run.scores.values()))),
        search_value=None if trial is None else trial.value,
        search_spread=None if score is None else score.spread,
        config=known.config,
        picks=known.picks,
        collapsed=any_collapsed(rows[run.trial].collapsed for run in runs),
    )
