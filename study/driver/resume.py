"""A study's earlier run, read back from the ledger so that it can go on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from study.driver.conductor import Unfinished
from study.driver.files import checkpoint_epoch, checkpoints, delete_files
from study.driver.finals import FinalRunState, sampling_seeds
from study.driver.kept_checkpoints import (
    known_checkpoints,
    last_checkpoint,
    ranked_values,
    unneeded_checkpoints,
)
from study.driver.messages import Assignment
from study.driver.repair import (
    has_lost_rows,
    set_aside_damaged_checkpoints,
    set_aside_damaged_rows,
)
from study.results.objective import final_scores, scores_by_trial
from study.results.reader import ReadRows, read_rows
from study.results.storage import Storage, join
from study.results.tables import END_STATES, ReportRow, ScoreRow, TrialRow
from study.search import PastTrial
from study.spec import StudyFile, read_study_text


@dataclass(frozen=True)
class EarlierRun:
    """What happened before.

    Attributes:
        study_file: The study as it was begun.
        trials: Every trial that was begun, by number.
        unfinished: Those of them that are to go on.
        finals: The final runs that were begun.
        orphans: Checkpoints that nobody needs.
        notes: What was lost, a line each.
    """

    study_file: StudyFile
    trials: tuple[PastTrial, ...]
    unfinished: tuple[Unfinished, ...]
    finals: tuple[FinalRunState, ...] = ()
    orphans: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def states(self) -> Counter[str]:
        """How many trials and final runs have ended in which state."""
        finals = (run.scores for run in self.finals if run.scores is not None)
        return Counter(
            [
                *(trial.state for trial in self.trials if trial.state in END_STATES),
                *("complete" if scores else "failed" for scores in finals),
            ]
        )

    @property
    def values(self) -> dict[int, float]:
        """Latest score of each trial of the search that may be compared with the others."""
        score = self.study_file.study.score
        latest: dict[int, float] = {}
        for number, trial in enumerate(self.trials):
            for epoch, value in sorted(trial.reports.items()):
                over = trial.state == "complete" and epoch == max(trial.reports)
                if trial.state != "failed" and (over or score.is_full(epoch)):
                    latest[number] = value
        return {number: value for number, value in latest.items() if math.isfinite(value)}

    @property
    def best(self) -> tuple[float, int] | None:
        """The search's best score so far, and its trial."""
        return min(((value, trial) for trial, value in self.values.items()), default=None)

    def summary(self, planned: int) -> str:
        """One line for people.

        Args:
            planned: How many trials the search has in all.
        """
        states = Counter(trial.state for trial in self.trials)
        kept = [f"{states[state]} {state}" for state in END_STATES if states[state]]
        begun = sum(trial.picks is not None for trial in self.trials)
        finals = sum(run.scores is not None for run in self.finals)
        if finals:
            kept.append(f"{finals} final runs")
        return (
            f"kept: {', '.join(kept) or 'nothing'}; to go on with: {len(self.unfinished)}; "
            f"to begin: {max(0, planned - begun)}"
        )


def take_up(storage: Storage, name: str) -> EarlierRun:
    """Read a study's ledger in order to go on, and clear away what is damaged or left over.

    Call it with the study's lease.

    Raises:
        UserError: Its study file cannot be read any more.
        OSError: The storage cannot be read or written.
    """
    lines = set_aside_damaged_rows(storage, name)
    running = [row for row in read_rows(storage, TrialRow, name) if row.state == "running"]
    lines += set_aside_damaged_checkpoints(storage, name, running)
    earlier = read_earlier_run(storage, name)
    delete_files(storage, earlier.orphans)
    return replace(earlier, notes=(*lines, *earlier.notes))


def read_earlier_run(
    storage: Storage,
    name: str,
    study_file: StudyFile | None = None,
    read_rows: ReadRows = read_rows,
) -> EarlierRun:
    """Read a study's ledger.

    Args:
        storage: Where the study is.
        name: Its name.
        study_file: Its study file, if that is known; it is read by default.
        read_rows: Reads a table of it.

    Raises:
        UserError: Its study file cannot be read any more.
    """
    if study_file is None:
        file = join(name, "study.yaml")
        study_file = read_study_text(storage.read(file).decode(), storage.locate(file))
    trials = read_rows(storage, TrialRow, name)
    reports = read_rows(storage, ReportRow, name)
    scores = scores_by_trial(read_rows(storage, ScoreRow, name))
    notes: list[str] = []
    if has_lost_rows(storage, name):
        trials, lines = _reopen(trials, reports, scores)
        notes += lines
    files = checkpoints(storage, name)
    reported: dict[int, list[ReportRow]] = {}
    for report in reports:
        reported.setdefault(report.trial, []).append(report)
    unfinished: list[Unfinished] = []
    orphans: list[str] = []
    for row in trials:
        of_trial = files.get(row.trial, [])
        ranked = ranked_values(row, reported.get(row.trial, ()), study_file.study.score)
        orphans += unneeded_checkpoints(row, of_trial, ranked)
        if row.state == "running":
            unfinished.append(_unfinished(study_file, row, of_trial, ranked))
    # What is trained again is reported again.
    known = {one.row.trial: _epoch(one.assignment.checkpoint) for one in unfinished}
    values: dict[int, dict[int, float]] = {}
    for report in reports:
        if report.value is not None and report.epoch <= known.get(report.trial, report.epoch):
            values.setdefault(report.trial, {})[report.epoch] = report.value
    searched = {trial.trial: trial for trial in trials if trial.stage == "search"}
    past_trials = [
        _past_trial(study_file, searched.get(number), values.get(number, {}))
        for number in range(max(searched, default=-1) + 1)
    ]
    final_runs = [
        _final_run(row, row.repeats, scores.get(row.trial, ()))
        for row in trials
        if row.stage == "final" and row.repeats is not None
    ]
    return EarlierRun(
        study_file,
        tuple(past_trials),
        tuple(unfinished),
        tuple(final_runs),
        orphans=tuple(orphans),
        notes=tuple(notes),
    )


def _reopen(
    trials: Sequence[TrialRow],
    reports: Sequence[ReportRow],
    scores: Mapping[int, Sequence[ScoreRow]],
) -> tuple[list[TrialRow], list[str]]:
    """Trials with those that lack rows as if they had just begun, and a line for each of these."""
    reported: dict[int, set[int]] = {}
    for report in reports:
        reported.setdefault(report.trial, set()).add(report.epoch)
    rows: list[TrialRow] = []
    lines: list[str] = []
    for row in trials:
        trained = 0 if row.spec.get("weights") else row.epoch or 0
        missing = {*range(1, trained + 1)} - reported.get(row.trial, set())
        unscored = row.value is not None and not any(
            score.epoch == row.epoch for score in scores.get(row.trial, ())
        )
        if row.state == "failed" or not (missing or unscored):
            rows.append(row)
            continue
        what = f"reports of {len(missing)} epochs" if missing else "its score"
        lines.append(f"trial {row.trial} lost {what}: it is run again from its start")
        fresh = replace(
            row, state="running", reason="", ended=None, value=None, epoch=None, checkpoint=None
        )
        rows.append(fresh)
    return rows, lines


def _final_run(row: TrialRow, repeats: int, scores: Sequence[ScoreRow]) -> FinalRunState:
    if row.state == "running":
        return FinalRunState(row.trial, repeats, None)
    if row.state != "complete":
        return FinalRunState(row.trial, repeats, ())
    values = tuple(score.value for score in final_scores(row, scores))
    return FinalRunState(row.trial, repeats, values)


def _past_trial(
    study_file: StudyFile, row: TrialRow | None, values: Mapping[int, float]
) -> PastTrial:
    if row is None:  # its file is damaged: it is begun again
        return PastTrial(None, "running", (), {})
    names = study_file.study.search.objectives if row.state == "complete" else ()
    measured = tuple(_objective(row, name) for name in names)
    return PastTrial(dict(row.picks), row.state, measured, values, row.started, row.ended)


def _objective(row: TrialRow, name: str) -> float:
    """The value of one of a complete trial's objectives."""
    if name == "steps":
        return float(row.study.sampling.steps)
    value = {
        "score": row.value,
        "parameters": row.parameters,
        "train_seconds": row.train_seconds,
    }[name]
    assert value is not None  # a complete trial has all of them
    return float(value)


def _epoch(checkpoint: str | None) -> int:
    return 0 if checkpoint is None else checkpoint_epoch(checkpoint)


def _unfinished(
    study_file: StudyFile, row: TrialRow, files: Sequence[str], values: Mapping[int, float]
) -> Unfinished:
    """A trial that goes on from the checkpoint that its row names, or from the one before."""
    study, settings = study_file.study.name, study_file.study.finalists
    assignment = Assignment(
        study=study,
        number=row.trial,
        seed=row.seed,
        spec=row.study,
        checkpoint=last_checkpoint(row, files),
        sampling_seeds=sampling_seeds(settings, row.seed)
        if settings is not None and row.stage == "final"
        else (),
    )
    return Unfinished(row, assignment, known_checkpoints(row, files, values))
