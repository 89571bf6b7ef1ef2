"""Trials that score another trial's weights, without Ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from specs import plain
from trained_trials import ignore, never, trained

from study.check.preflight import preflight
from study.driver.conductor import Conductor
from study.driver.files import checkpoints
from study.driver.messages import Assignment
from study.driver.resume import read_earlier_run
from study.driver.trial_weights import trained_in
from study.results.ledger import Ledger
from study.results.query import query
from study.results.storage import Storage
from study.search import Search
from study.spec import StudyFile, UserError, read_study_file
from study.trained.load import load_trial, sample_trial
from study.worker.begin import begin
from study.worker.team import Team
from study.worker.weights_trial import WeightsRun
from study.worker.workbench import Workbench

SWEEP: dict[str, Any] = {
    "name": "sweep",
    "weights": {"study": "small", "trial": 3},
    "score": {"steps": {"int": [2, 5]}},
    "search": {"sampler": "grid", "trials": 9, "objectives": ["score", "steps"]},
}


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage with one trained trial."""
    storage = Storage.from_uri(str(tmp_path / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    return storage


def read(folder: Path, storage: Storage, **sections: Any) -> StudyFile:
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({**SWEEP, **sections}))
    return read_study_file(path, find_trial=trained_in(storage.uri))


def bench_of(storage: Storage) -> Workbench:
    return Workbench(storage, torch.device("cpu"))


def assigned(file: StudyFile, steps: int) -> Assignment:
    spec = file.spec({"score.steps": steps})
    return Assignment("sweep", steps, 11, spec)


def test_it_scores_the_weights_and_trains_nothing(tmp_path: Path, storage: Storage) -> None:
    value = trained(storage, 3)
    before = {file: file.read_bytes() for file in Path(storage.root).rglob("*.safetensors")}
    run = begin(assigned(read(tmp_path, storage), 5), bench_of(storage), Team())
    assert isinstance(run, WeightsRun)
    report = run.advance(never, ignore)
    run.close()
    assert report.outcome == "done"
    assert (report.epoch, report.epochs, report.seconds) == (1, (), 0.0)
    assert report.score is not None
    assert report.score.value == pytest.approx(value, rel=1e-6)  # `steps: 5` is the trial's own
    assert (report.score.epoch, report.score.steps) == (1, 5)
    assert report.images_seen > 0
    assert report.samples is not None
    assert storage.read(report.samples.name)[:8] == b"\x89PNG\r\n\x1a\n"
    assert {file: file.read_bytes() for file in Path(storage.root).rglob("*.safetensors")} == before


def test_a_stop_comes_before_the_work(tmp_path: Path, storage: Storage) -> None:
    trained(storage, 3)
    run = begin(assigned(read(tmp_path, storage), 5), bench_of(storage), Team())
    report = run.advance(lambda: True, ignore)
    assert (report.outcome, report.score) == ("interrupted", None)


def test_a_study_of_them_becomes_rows_and_is_read_back(tmp_path: Path, storage: Storage) -> None:
    trained(storage, 3)
    file = read(tmp_path, storage)
    storage.claim("sweep", file.text)
    bench = bench_of(storage)
    with Ledger(storage, "sweep") as ledger:
        conductor = Conductor(file, Search(file), ledger, 1)
        while (assignment := conductor.next_trial()) is not None:
            assert not conductor.report(begin(assignment, bench, Team()).advance(never, ignore))
            conductor.release(assignment.number)
    sql = (
        "select t.state, t.epoch, t.train_seconds, s.steps, s.weights, s.value = t.value as same, "
        '"config.weights.trial" as whose from trials t join scores s using (study, trial) '
        "order by trial"
    )
    found = query(storage, sql, ["sweep"]).to_pylist()
    assert [row.pop("steps") for row in found] == [2, 3, 4, 5]
    rest = {"epoch": 1, "train_seconds": 0.0, "weights": "averaged", "same": True, "whose": 3}
    assert found == [{"state": "complete", **rest}] * 4
    earlier = read_earlier_run(storage, "sweep")
    assert [trial.values[1] for trial in earlier.trials] == [2, 3, 4, 5]
    assert earlier.study_file.study == file.study
    # What works on a trained trial works on these: their weights are the trained trial's.
    assert torch.equal(
        torch.from_numpy(sample_trial(storage, "sweep", 3, 4)),
        torch.from_numpy(sample_trial(storage, "small", 3, 4)),
    )
    assert load_trial(storage, "sweep", 0).sampling.steps == 2
    again = read(tmp_path, storage, weights={"study": "sweep", "trial": 0})
    assert again.study.weights is not None
    assert again.study.weights.checkpoint == checkpoints(storage, "small")[3][-1]


@pytest.mark.parametrize("gone", [True, False])
def test_other_weights_than_meant_are_refused(tmp_path: Path, storage: Storage, gone: bool) -> None:
    trained(storage, 3)
    file = read(tmp_path, storage)
    preflight(file, storage)
    name = checkpoints(storage, "small")[3][-1]
    if gone:
        storage.delete(name)
    else:
        storage.write_atomic(name, storage.read(name) + b" ")
    rule = "is not in" if gone else "has changed since this study was made"
    match = rf"^the checkpoint {name} of trial 3 of study 'small' {rule}"
    with pytest.raises(UserError, match=match):
        preflight(file, storage)
    with pytest.raises(UserError, match=match):
        begin(assigned(file, 5), bench_of(storage), Team())


@pytest.mark.parametrize(
    ("weights", "rule"),
    [
        ({"study": "smol", "trial": 3}, "No study named 'smol' is in .*did you mean 'small'"),
        ({"study": "small", "trial": 4}, "no trial 4 in study 'small', which has 3 to 3"),
        ({"study": "small", "trial": 3}, r"trial 3 of study 'small' \(complete\) left no check"),
    ],
)
def test_weights_that_are_not_there(
    tmp_path: Path, storage: Storage, weights: dict[str, Any], rule: str
) -> None:
    trained(storage, 3)
    storage.delete(checkpoints(storage, "small")[3][-1])
    with pytest.raises(UserError, match=rf"sweep\.yaml:\d+: weights: {rule}"):
        read(tmp_path, storage, weights=weights)
