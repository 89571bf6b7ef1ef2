from __future__ import annotations

from dataclasses import replace

import pytest
from ledger_rows import complete, pruned, report, running

from study.driver.files import checkpoint_name
from study.driver.kept_checkpoints import (
    known_checkpoints,
    last_checkpoint,
    ranked_values,
    unneeded_checkpoints,
)
from study.results.tables import TrialRow
from study.spec.score import Score

FILES = [checkpoint_name("s", 0, epoch, b"%d" % epoch) for epoch in range(1, 5)]
VALUES = {1: 3.0, 2: 1.0, 3: 2.0, 4: 0.5}


def row(epoch: int) -> TrialRow:
    """A trial that is to go on, whose row names the checkpoint of an epoch."""
    return replace(running(0), epoch=epoch, checkpoint=FILES[epoch - 1])


def test_a_trial_that_is_to_go_on_keeps_what_the_ledger_knows() -> None:
    assert last_checkpoint(row(3), FILES) == FILES[2]
    known = known_checkpoints(row(3), FILES, VALUES)
    assert known == ((FILES[0], 3.0), (FILES[1], 1.0), (FILES[2], 2.0))
    assert unneeded_checkpoints(row(3), FILES, VALUES) == [FILES[3]]


def test_one_that_is_gone_gives_way_to_the_one_before() -> None:
    left = [FILES[0], FILES[1], FILES[3]]
    assert last_checkpoint(row(3), left) == FILES[1]
    assert unneeded_checkpoints(row(3), left, VALUES) == [FILES[3]]
    assert last_checkpoint(row(1), FILES[1:]) is None
    assert unneeded_checkpoints(row(1), FILES[1:], VALUES) == FILES[1:]


def test_of_two_of_one_epoch_the_one_that_the_row_names_is_the_last() -> None:
    for content in map(b"other %d".__mod__, range(20)):  # names sort by digest
        other = checkpoint_name("s", 0, 3, content)
        files = sorted([*FILES[:3], other])
        known = [name for name, _ in known_checkpoints(row(3), files, VALUES)]
        assert known == [*FILES[:2], other, FILES[2]]
        assert unneeded_checkpoints(row(3), files, VALUES) == []


def test_a_trial_without_a_checkpoint_needs_none() -> None:
    assert last_checkpoint(running(0), FILES) is None
    assert unneeded_checkpoints(running(0), FILES, {}) == FILES


def test_of_one_that_has_ended_nothing_goes_where_its_row_names_none() -> None:
    assert unneeded_checkpoints(complete(0, 2.0, epoch=3), FILES, VALUES) == []


@pytest.mark.parametrize("ended", [complete(0, 2.0, epoch=3), pruned(0, 2.0, epoch=3)])
def test_one_that_has_ended_keeps_its_last_and_its_best(ended: TrialRow) -> None:
    ended = replace(ended, checkpoint=FILES[2])
    assert unneeded_checkpoints(ended, FILES, VALUES) == [FILES[0], FILES[3]]
    assert unneeded_checkpoints(ended, FILES, {}) == [FILES[0], FILES[1], FILES[3]]


def test_scores_of_early_rungs_are_not_compared() -> None:
    rungs = [{"until": 3, "epochs": 1, "samples": 16}, {"epochs": 1}]
    score = Score.model_validate({"metric": "fd_pixels", "samples": 64, "every": rungs})
    reports = [report(0, epoch, value=VALUES[epoch]) for epoch in (1, 2)]
    assert ranked_values(running(0), reports, score) == {}
    assert ranked_values(complete(0, 1.0, epoch=2), reports, score) == {2: 1.0}
