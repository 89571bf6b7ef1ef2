from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simulated import content, grid_study, in_folder, learning, table

from study.driver.files import checkpoints
from study.driver.repair import (
    has_lost_rows,
    set_aside_damaged_checkpoints,
    set_aside_damaged_rows,
)
from study.driver.resume import read_earlier_run
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.table_files import table_files
from study.results.tables import TrialRow
from study.simulation.faults import Interrupt
from study.simulation.run import simulate


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A study of two trials that was interrupted in the middle of the second one."""
    storage = in_folder(tmp_path)
    study = grid_study(trials=2)
    faults = [Interrupt(500.0)]
    simulate(study, storage, learning(), lanes=1, faults=faults, flush_seconds=None)
    return storage


def damage(storage: Storage, name: str) -> None:
    data = bytearray(storage.read(name))
    data[len(data) // 2] ^= 1
    storage.write_atomic(name, bytes(data))


def measured(storage: Storage) -> dict[str, list[dict[str, Any]]]:
    """All rows, without when and by whom they were written."""
    left_out = {"written", "sequence", "lane", "started", "ended"}
    return {
        name: [{key: v for key, v in row.items() if key not in left_out} for row in rows]
        for name, rows in content(storage).items()
        if name != "artifacts"
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """What a run that nothing happened to leaves."""
    storage = in_folder(tmp_path_factory.mktemp("whole"))
    simulate(grid_study(trials=2), storage, learning(), lanes=1)
    return measured(storage)


def test_a_study_without_damage_stays_as_it_is(storage: Storage) -> None:
    before = content(storage)
    running = read_rows(storage, TrialRow, "small", 1)
    assert set_aside_damaged_rows(storage, "small") == []
    assert set_aside_damaged_checkpoints(storage, "small", running) == []
    assert not has_lost_rows(storage, "small")
    assert read_earlier_run(storage, "small").notes == ()
    assert content(storage) == before


@pytest.mark.parametrize("lost", ["reports", "scores"])
def test_trials_that_lost_rows_are_run_again(
    storage: Storage, lost: str, whole: dict[str, list[dict[str, Any]]]
) -> None:
    file = table_files(storage, "small", lost)[-2 if lost == "reports" else 8]
    damage(storage, file)
    (line,) = set_aside_damaged_rows(storage, "small")
    assert f"{file} is damaged (its content was changed): it was moved to " in line
    assert storage.exists(f"small/damaged/{lost}/{file.rpartition('/')[2]}")
    assert set_aside_damaged_rows(storage, "small") == []
    (note,) = read_earlier_run(storage, "small").notes
    assert "it is run again from its start" in note
    simulate(grid_study(trials=2), storage, learning(), lanes=1, resume=True)
    assert measured(storage) == whole


def test_a_trial_whose_checkpoint_is_damaged_goes_on_from_the_one_before(
    storage: Storage, whole: dict[str, list[dict[str, Any]]]
) -> None:
    older, newest = checkpoints(storage, "small")[1]
    damage(storage, newest)
    rows = read_rows(storage, TrialRow, "small", 1)
    (line,) = set_aside_damaged_checkpoints(storage, "small", rows)
    assert f"{newest} is damaged" in line
    (unfinished,) = read_earlier_run(storage, "small").unfinished
    assert unfinished.assignment.checkpoint == older
    simulate(grid_study(trials=2), storage, learning(), lanes=1, resume=True)
    assert measured(storage) == whole


def test_a_trial_without_a_sound_checkpoint_begins_anew(
    storage: Storage, whole: dict[str, list[dict[str, Any]]]
) -> None:
    for name in checkpoints(storage, "small")[1]:
        damage(storage, name)
    rows = read_rows(storage, TrialRow, "small", 1)
    assert len(set_aside_damaged_checkpoints(storage, "small", rows)) == 2
    (unfinished,) = read_earlier_run(storage, "small").unfinished
    assert unfinished.assignment.checkpoint is None
    simulate(grid_study(trials=2), storage, learning(), lanes=1, resume=True)
    assert measured(storage) == whole


def test_a_checkpoint_that_no_row_names_is_an_orphan(storage: Storage) -> None:
    (known,) = {row["checkpoint"] for row in table(storage, "trials") if row["trial"] == 1}
    newer = "small/checkpoints/trial-0001-epoch-00099-0123456789abcdef.safetensors"
    storage.write_atomic(newer, b"written, but its row was not")
    earlier = read_earlier_run(storage, "small")
    assert earlier.orphans == (newer,)
    assert earlier.unfinished[0].assignment.checkpoint == known
