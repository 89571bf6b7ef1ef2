"""Drivers killed and thought dead at any operation: what must hold does, and is missed if not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from study.driver import kept_checkpoints, lease, resume, retention
from study.results import table_files
from study.results.lease_record import Accepted
from study.results.storage import Storage
from study.results.tables import TrialRow
from study.simulation.small_studies import SMALL_STUDIES, SmallStudy

PLANS = 40
ids = "{0.sampler} {0.pruner} {0.lanes}".format


@pytest.mark.parametrize("study", SMALL_STUDIES, ids=ids)
def test_nothing_is_lost_or_done_twice(study: SmallStudy) -> None:
    wrong = {seed: [*study.violations(seed)] for seed in range(PLANS)}
    assert {seed: lines for seed, lines in wrong.items() if lines} == {}


def test_the_plans_do_what_they_say() -> None:
    study = SMALL_STUDIES[0]
    runs = [study.disturbed(seed) for seed in range(PLANS)]
    assert any(len(run.history.resumptions) == 3 for run in runs)
    assert any(not heard.counts for run in runs for heard in run.history.heard)
    assert any(run.history.late for run in runs)
    finished = study.undisturbed.history
    assert [*finished.resumptions, *finished.stopped] == []


def test_one_seed_is_one_course() -> None:
    study = SMALL_STUDIES[1]
    first, second = (study.disturbed(seed=3) for _ in range(2))
    assert first.history.heard == second.history.heard
    assert {*first.storage.folders["small/trials"]} == {*second.storage.folders["small/trials"]}


def first_violation(study: SmallStudy) -> str:
    """The first one that any plan finds; empty if none does."""
    lines = (line for seed in range(PLANS) for line in study.violations(seed))
    return next(lines, "")


def test_going_on_from_a_checkpoint_that_no_row_names_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def newest_file(row: TrialRow, files: Sequence[str]) -> str | None:
        return files[-1] if files else None

    monkeypatch.setattr(resume, "last_checkpoint", newest_file)
    monkeypatch.setattr(kept_checkpoints, "last_checkpoint", newest_file)
    assert "is missing" in first_violation(SMALL_STUDIES[0])


def test_a_driver_that_is_not_fenced_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def accept_all(storage: Storage, study: str) -> Accepted:
        return Accepted()

    monkeypatch.setattr(lease.Lease, "check", lambda self: None)
    monkeypatch.setattr(table_files, "read_accepted", accept_all)
    assert "although its driver had lost the study" in first_violation(SMALL_STUDIES[1])


def test_a_checkpoint_deleted_before_the_next_is_on_disk_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    note = retention.Retention.note

    def delete_early(self: Any, trial: int, name: str, value: float | None, row: int) -> None:
        note(self, trial, name, value, row)
        self._drop(trial, len(self._kept[trial]) - 1)

    monkeypatch.setattr(retention.Retention, "note", delete_early)
    assert "and went on from epoch" in first_violation(SMALL_STUDIES[0])
