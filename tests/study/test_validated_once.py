"""A study is validated where it is made, and nowhere again: pydantic takes its time over each."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import pytest
import torch
from rich.console import Console
from specs import RATES, study_file

from study.check import examination, report
from study.check.report import check_study
from study.driver.conductor import Conductor
from study.driver.messages import Assignment
from study.results.ledger import Ledger
from study.results.storage import Storage
from study.search import Search
from study.spec import study as spec_module
from study.spec.study import Study
from study.worker.begin import begin
from study.worker.team import Team
from study.worker.workbench import Workbench


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[Study]:
    """Every whole study that is validated, in order."""
    studies: list[Study] = []
    check_fit = spec_module.check_fit

    def note(study: Study) -> None:
        studies.append(study)
        check_fit(study)

    monkeypatch.setattr(spec_module, "check_fit", note)  # the last thing that validation does
    return studies


def test_a_trial_is_validated_once_from_the_search_to_the_worker(
    tmp_path: Path, validated: list[Study]
) -> None:
    file = study_file(train=RATES)
    storage = Storage.from_uri(str(tmp_path))
    storage.claim("small", file.text)
    search = Search(file)
    validated.clear()
    with Ledger(storage, "small") as ledger:
        assignment = Conductor(file, search, ledger, lanes=1).next_trial()
    assert isinstance(assignment, Assignment)
    sent = pickle.loads(pickle.dumps(assignment))
    begin(sent, Workbench(storage, torch.device("cpu")), Team()).close()
    assert [study.train for study in validated] == [assignment.spec.train]


def test_a_check_validates_each_corner_once(
    tmp_path: Path, validated: list[Study], monkeypatch: pytest.MonkeyPatch
) -> None:
    # What it estimates are trials, which are drawn as a search draws them, and validated each.
    monkeypatch.setattr(examination, "estimate", lambda *arguments: None)
    monkeypatch.setattr(report, "_print_cost", lambda *arguments: None)
    kinds = {"choice": [{"kind": "cosine"}, {"kind": "linear", "scaled": True}]}
    file = study_file(
        train=RATES, model={"schedule": kinds}, search={"trials": 3, "pruner": "asha"}
    )
    check_study(file, Console(file=io.StringIO()), Storage.from_uri(str(tmp_path)))
    texts = [study.model_dump_json() for study in validated]
    assert len(texts) == len({*texts}) == len(file.corners) == 4  # both ends of two branches
