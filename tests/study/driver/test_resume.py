from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_rows import complete, write
from stages import Stage
from study_trees import TEXT, changed, parse_study, tree

from study.driver.files import checkpoint_name
from study.driver.messages import StoredFile
from study.driver.resume import read_earlier_run
from study.results.storage import Storage
from study.search import Search
from study.spec import Study


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.from_uri(str(tmp_path))


def test_every_trial_of_the_search_is_read_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, parse_study(changed(search={"trials": 4})), lanes=4)
    assignments = [stage.start() for _ in range(4)]
    stage.report(0, 1, 3.0, "running")
    stage.report(0, 2, 2.0, "done")
    stage.report(1, 1, None, "failed", reason="diverged")
    checkpoint = StoredFile(checkpoint_name("small", 2, 1, b"x"), 1)
    stage.report(2, 1, 4.0, "interrupted", checkpoint=checkpoint)
    stage.storage.write_atomic(checkpoint.name, b"x")
    earlier = read_earlier_run(stage.storage, "small")
    assert [trial.state for trial in earlier.trials] == ["complete", "failed", "running", "running"]
    assert [trial.values for trial in earlier.trials] == [(2.0,), (), (), ()]
    assert [trial.reports for trial in earlier.trials] == [{1: 3.0, 2: 2.0}, {}, {1: 4.0}, {}]
    assert [trial.picks for trial in earlier.trials] == [
        dict(row.params) for row in stage.search.trials
    ]
    assert [one.assignment for one in earlier.unfinished] == [
        replace(assignments[2], checkpoint=checkpoint.name),
        assignments[3],
    ]
    assert [one.row.epoch for one in earlier.unfinished] == [1, None]
    assert earlier.summary(4) == "kept: 1 complete, 1 failed; to go on with: 2; to begin: 0"


def test_a_trial_whose_row_was_lost_is_begun_again(storage: Storage) -> None:
    storage.claim("small", TEXT)
    file = parse_study(tree())
    first, second = itertools.islice(iter(Search(file).ask, None), 2)
    write(storage, "small", replace(complete(1, 2.0), picks=second.picks))
    earlier = read_earlier_run(storage, "small")
    lost, kept = earlier.trials
    assert (lost.picks, lost.values) == (None, ())
    assert (kept.state, kept.values) == ("complete", (2.0,))
    assert "1 complete; to go on with: 0; to begin: 3" in earlier.summary(4)
    search = Search(file, earlier.trials)
    assert search.asked == 1
    again, following = itertools.islice(iter(search.ask, None), 2)
    assert again == first
    assert following.number == 2


@pytest.mark.parametrize(("names", "validated"), [(["score"], 0), (["score", "steps"], 3)])
def test_a_configuration_is_validated_only_where_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], validated: int
) -> None:
    """That of a trial that goes on, and where the sampler's steps are an objective."""
    stage = Stage(tmp_path, parse_study(changed(search={"trials": 3, "objectives": names})))
    for number in range(3):
        stage.start()
        stage.report(number, 9, 1.0 + number, "done")
        stage.conductor.release(number)
    file = read_earlier_run(stage.storage, "small").study_file
    validate = Study.model_validate
    calls: list[object] = []

    def count(tree: object, **options: object) -> Study:
        calls.append(tree)
        return validate(tree)

    monkeypatch.setattr("study.driver.resume.read_study_text", lambda text, source: file)
    monkeypatch.setattr(Study, "model_validate", count)
    earlier = read_earlier_run(stage.storage, "small")
    assert [len(trial.values) for trial in earlier.trials] == [len(names)] * 3
    assert len(calls) == validated
