"""A study's earlier run, read back from the ledger so that it can go on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, fields
from typing import Any

from study.driver.conductor import Unfinished
from study.driver.files import newest_checkpoint
from study.driver.finals import RaceRun, sampling_seeds
from study.driver.messages import Assignment
from study.results.arrow_values import rows
from study.results.query import connect
from study.results.storage import Storage, join
from study.results.tables import CONFIG_PREFIX, TrialRow
from study.search import PastTrial
from study.spec import Study, StudyFile, read_study_text


@dataclass(frozen=True)
class Past:
    """What happened before.

    Attributes:
        study_file: The study as it was begun.
        trials: Every trial that was begun, by number.
        unfinished: Those of them that are to go on.
        finals: The final runs that were begun.
    """

    study_file: StudyFile
    trials: tuple[PastTrial, ...]
    unfinished: tuple[Unfinished, ...]
    finals: tuple[RaceRun, ...] = ()

    def __str__(self) -> str:
        states = Counter(trial.state for trial in self.trials)
        kept = [
            f"{states[state]} {state}"
            for state in ("complete", "pruned", "failed")
            if states[state]
        ]
        return (
            f"kept: {', '.join(kept) or 'nothing'}; to go on with: {len(self.unfinished)}; "
            f"to begin: {max(0, self.study_file.study.search.trials - len(self.trials))}"
        )


def read_past(storage: Storage, name: str) -> Past:
    """Read a study's ledger.

    Raises:
        UserError: Its study file cannot be read any more.
    """
    file = join(name, "study.yaml")
    study_file = read_study_text(storage.read(file).decode(), storage.locate(file))
    with connect(storage, [name], ["trials", "reports", "scores"]) as connection:
        trials = rows(connection.sql("from trials order by trial").to_arrow_table())
        reports = rows(
            connection.sql("from reports where value is not null order by epoch").to_arrow_table()
        )
        finals = rows(connection.sql("from scores where stage = 'final'").to_arrow_table())
    scores: dict[int, dict[int, float]] = {}
    for report in reports:
        scores.setdefault(report["trial"], {})[report["epoch"]] = report["value"]
    searched = {trial["trial"]: trial for trial in trials if trial["stage"] != "final"}
    past = [
        _past_trial(study_file, searched.get(number), scores.get(number, {}))
        for number in range(max(searched, default=-1) + 1)
    ]
    final_runs = [_final_run(row, finals) for row in trials if row["stage"] == "final"]
    unfinished = [
        _unfinished(storage, study_file, row) for row in trials if row["state"] == "running"
    ]
    return Past(study_file, tuple(past), tuple(unfinished), tuple(final_runs))


def _final_run(row: dict[str, Any], scores: list[dict[str, Any]]) -> RaceRun:
    if row["state"] == "running":
        return RaceRun(row["trial"], row["repeats"], None)
    if row["state"] != "complete":
        return RaceRun(row["trial"], row["repeats"], ())
    metric = Study.model_validate_json(row["spec"]).score.metric_name
    values = [
        score["value"]
        for score in scores
        if (score["trial"], score["metric"]) == (row["trial"], metric)
    ]
    return RaceRun(row["trial"], row["repeats"], tuple(values))


def _past_trial(
    study_file: StudyFile, row: dict[str, Any] | None, scores: dict[int, float]
) -> PastTrial:
    if row is None:  # begun, but its row was lost with the process that was to write it
        return PastTrial(None, "failed", (), {})
    values: tuple[float, ...] = ()
    if row["state"] == "complete":
        measured = {
            "score": row["value"],
            "steps": Study.model_validate_json(row["spec"]).sampling.steps,
            "parameters": row["parameters"],
            "train_seconds": row["train_seconds"],
        }
        values = tuple(float(measured[name]) for name in study_file.study.search.objectives)
    return PastTrial(json.loads(row["picks"]), row["state"], values, scores)


def _unfinished(storage: Storage, study_file: StudyFile, row: dict[str, Any]) -> Unfinished:
    study, settings = study_file.study.name, study_file.study.finalists
    known = {
        field.name: row[field.name]
        for field in fields(TrialRow)
        if row.get(field.name) is not None  # a column that is younger than the ledger
    }
    config = {
        column.removeprefix(CONFIG_PREFIX): value
        for column, value in row.items()
        if column.startswith(CONFIG_PREFIX) and value is not None
    }
    number = row["trial"]
    assignment = Assignment(
        study=study,
        number=number,
        seed=row["seed"],
        spec=Study.model_validate_json(row["spec"]),
        checkpoint=newest_checkpoint(storage, study, number),
        sampling_seeds=sampling_seeds(settings, row["seed"])
        if settings is not None and row["stage"] == "final"
        else (),
    )
    return Unfinished(TrialRow(**{**known, "config": config}), assignment)
