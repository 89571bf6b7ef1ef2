"""`study check --format json`: what a study file holds, and what it would cost, for programs."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from study.check.data_summary import summarise_data, write_contact_sheet
from study.check.estimate import estimate
from study.check.preflight import Watch, preflight
from study.driver.placement import place, this_machine
from study.results.json_text import decoded
from study.results.storage import Storage
from study.search import Search
from study.spec import StudyFile
from study.spec.holes import Choice, Hole
from study.spec.tree import leaves
from study.worker.workbench import Workbench


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
    bench = Workbench(storage, torch.device("cpu"))
    clock = time.monotonic()
    preflight(study_file, storage, watch, bench=bench)
    reading = time.monotonic() - clock
    watch("")
    if picture is not None:
        write_contact_sheet(picture, bench.images(study_file.study.data))
    spec = study_file.study
    trials = Search(study_file).planned
    placement = place(spec.scale, (this_machine(),), trials)
    cost = estimate(study_file, placement, trials, watch, reading)
    return {
        "study": spec.name,
        "trials": trials,
        "data": dataclasses.asdict(summarise_data(study_file, bench)),
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
        "placement": placement,
        "cost": dataclasses.asdict(cost),
    }


def _hole(hole: Hole) -> dict[str, Any]:
    if isinstance(hole, Choice):
        return {"kind": "choice", "options": decoded([*hole.labels])}
    return dataclasses.asdict(hole)
