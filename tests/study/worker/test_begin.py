from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from specs import plain
from trained_trials import trained

from study.driver.messages import Assignment
from study.driver.trial_weights import trained_in
from study.results.storage import Storage
from study.spec import Study, read_study_file
from study.worker.begin import begin
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.weights_trial import WeightsRun
from study.worker.workbench import Workbench


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    storage = Storage.from_uri(str(tmp_path / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    return storage


def bench_of(storage: Storage) -> Workbench:
    return Workbench(storage, torch.device("cpu"))


def test_a_trial_of_weights_scores_those(tmp_path: Path, storage: Storage) -> None:
    trained(storage, 3)
    path = tmp_path / "sweep.yaml"
    sweep = {"name": "sweep", "weights": {"study": "small", "trial": 3}, "search": {"trials": 1}}
    path.write_text(yaml.safe_dump(sweep))
    spec = read_study_file(path, find_trial=trained_in(storage.uri)).spec({})
    run = begin(Assignment("sweep", 0, 0, spec), bench_of(storage), Team())
    assert isinstance(run, WeightsRun)


def test_other_trials_train(storage: Storage) -> None:
    spec = Study.model_validate(yaml.safe_load(storage.read("small/study.yaml")))
    run = begin(Assignment("small", 0, 0, spec), bench_of(storage), Team())
    assert isinstance(run, TrialRun)
