from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from specs import study
from stages import report

from study.driver.messages import ScoreResult, StoredFile
from study.driver.rows import file_row, first_row, report_rows, row_after
from study.results.tables import ArtifactRow, ReportRow, ScoreRow, TrialRow, table_of

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
SPEC = study()
PICKS = {"train.learning_rate": 0.003}


@pytest.fixture
def begun() -> TrialRow:
    return first_row(7, 3, SPEC, dict(PICKS), None, "code", NOW)


def test_a_trial_that_begins_says_what_is_needed_to_run_it_again(begun: TrialRow) -> None:
    assert (begun.trial, begun.seed, begun.state, begun.stage) == (3, 7, "running", "search")
    assert begun.study == SPEC
    assert begun.spec_hash == SPEC.digest()
    assert begun.picks == PICKS
    assert begun.config["train.learning_rate"] == 0.003
    assert (begun.code_digest, begun.started) == ("code", NOW)


def test_a_final_run_says_which_trial_it_repeats() -> None:
    row = first_row(7, 9, SPEC, {}, 3, "code", NOW)
    assert (row.stage, row.repeats) == ("final", 3)


def test_picks_that_make_no_study_have_a_row_too() -> None:
    row = first_row(7, 3, None, dict(PICKS), None, "code", NOW)
    assert (row.spec, row.spec_hash, row.config, row.picks) == ({}, "", {}, PICKS)


def test_a_report_updates_the_row(begun: TrialRow) -> None:
    file = StoredFile("small/checkpoints/c.pt", 10)
    row = row_after(begun, report(3, 2, 4.0, "running", skipped=("a.png",), checkpoint=file))
    assert (row.value, row.epoch, row.images_seen) == (4.0, 2, 200)
    assert (row.train_seconds, row.score_seconds, row.parameters) == (4.0, 1.0, 123)
    assert (row.data_digest, row.skipped_pictures, row.checkpoint) == ("digits", 1, file.name)
    assert (row.lane, row.host) == ("lane 0", "here")
    later = row_after(row, report(3, 3, None, "running"))
    assert (later.value, later.epoch, later.checkpoint) == (4.0, 3, file.name)


def test_a_reports_rows() -> None:
    beside = ScoreResult(2, "recall", 0.5, 16, "ddim", 5, 0, "embedder", "real", 0.5, 0.1)
    picture = StoredFile("small/samples/s.png", 20)
    rows = [*report_rows(report(3, 2, 4.0, "running", more=(beside,), samples=picture), "search")]
    assert [type(row) for row in rows] == [ReportRow, ScoreRow, ScoreRow, ArtifactRow]
    epoch, objective, other, artifact = rows
    assert isinstance(epoch, ReportRow)
    assert (epoch.trial, epoch.epoch, epoch.value, epoch.lane) == (3, 2, 4.0, "lane 0")
    assert isinstance(objective, ScoreRow)
    assert isinstance(other, ScoreRow)
    assert (objective.metric, objective.stage, objective.spread) == ("fd_pixels", "search", None)
    assert (other.metric, other.value, other.spread) == ("recall", 0.5, 0.1)
    assert artifact == file_row(report(3, 2, None, "running"), "samples", picture)


def test_every_column_has_a_value(begun: TrialRow) -> None:
    file = StoredFile("small/checkpoints/c.pt", 10)
    last = report(3, 2, 4.0, "running", skipped=("a.png",), checkpoint=file)
    epoch = replace(last.epochs[0], discriminator_loss=0.5, validation_loss=0.5, learning_rate=0.1)
    assert last.score is not None
    known = {"spread": 0.1, "variation": 0.5, "collapsed": False}
    full = replace(last, epochs=(epoch,), score=replace(last.score, **known))
    rows = [row_after(begun, full), *report_rows(full, "search")]
    unset = {
        (table_of(type(row)), field.name)
        for row in rows
        for field in dataclasses.fields(row)
        if field.name != "stamp" and getattr(row, field.name) in (None, "")
    }
    # The conductor sets these when a trial ends; a trial of the search repeats none.
    assert unset == {("trials", "reason"), ("trials", "ended"), ("trials", "repeats")}


def test_the_trial_is_marked_as_its_last_score_is(begun: TrialRow) -> None:
    last = report(3, 2, 4.0, "running")
    assert last.score is not None
    row = row_after(begun, replace(last, score=replace(last.score, collapsed=True)))
    assert row.collapsed is True
    assert row_after(row, report(3, 3, None, "running")).collapsed is True  # not scored since
    later = replace(last, score=replace(last.score, collapsed=False))
    assert row_after(row, later).collapsed is False
    again = replace(last.score, seed=1, collapsed=True)  # another sampling seed of a final run
    assert row_after(begun, replace(later, more=(again,))).collapsed is True


def test_an_epoch_that_was_not_scored_has_no_value() -> None:
    (epoch,) = report_rows(report(3, 2, None, "running"), "search")
    assert isinstance(epoch, ReportRow)
    assert epoch.value is None


def test_the_value_of_a_final_run_is_the_mean_over_its_sampling_seeds(begun: TrialRow) -> None:
    last = report(3, 2, 4.0, "done")
    assert last.score is not None
    again = replace(last.score, value=5.0, seed=1)
    beside = replace(last.score, metric="recall", value=0.5)
    row = row_after(begun, replace(last, more=(beside, again)))
    assert row.value == 4.5
