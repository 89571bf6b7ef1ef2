"""`study check --format json`: what a study file holds, and what it would cost, for programs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from study.check.examination import examine
from study.check.preflight import Watch
from study.results.json_text import decoded
from study.results.storage import Storage
from study.spec import StudyFile
from study.spec.holes import Choice, Hole
from study.spec.tree import leaves


def check_json(
    study_file: StudyFile,
    storage: Storage,
    picture: Path | None = None,
    watch: Watch = lambda what: None,
) -> dict[str, Any]:
    """What `study.check.report.check_study` prints, as plain values; seconds where it is a time.

    Args:
        study_file: The study.
        storage: Where it would run.
        picture: Where to write a contact sheet of the images, a PNG, if anywhere.
        watch: Told what is about to be read or measured, as it may take a while.

    Raises:
        UserError: One trial's workers do not fit this machine, preflight finds a mistake, or the
            picture cannot be written.
    """
    examination = examine(study_file, storage, picture, watch)
    cost = examination.estimate(watch)
    return {
        "study": study_file.study.name,
        "trials": examination.trials,
        "data": dataclasses.asdict(examination.data),
        "dimensions": [
            {"name": dimension.name, **_hole(dimension.hole)}
            for dimension in study_file.space.dimensions()
        ],
        "branches": [
            {
                "picks": decoded(branch.picks),
                "config": decoded(leaves(branch.study.trial_config(), branch.picks)),
            }
            for branch in study_file.branches()
        ],
        "notes": study_file.reach_notes(),
        "placement": examination.placement,
        "cost": dataclasses.asdict(cost),
    }


def _hole(hole: Hole) -> dict[str, Any]:
    if isinstance(hole, Choice):
        return {"kind": "choice", "options": decoded([*hole.labels])}
    return dataclasses.asdict(hole)
