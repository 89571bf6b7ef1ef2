"""Every variant of the recipes, at smoke size.

Variants differ from their recipe in the trials and not in how these are run: so they are trained
trial by trial in this process.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import yaml
from paths import SEARCH_SPACES

from study.driver.messages import Assignment
from study.results.storage import Storage
from study.search import Search
from study.spec import read_study_file
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench

VARIANTS = [
    (path, name)
    for path in sorted(SEARCH_SPACES.glob("*.yaml"))
    for name in yaml.safe_load(path.read_text()).get("variants", {})
]


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return Storage.from_uri(str(tmp_path_factory.mktemp("studies")))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "variant"), VARIANTS, ids=lambda value: getattr(value, "stem", value)
)
def test_each_trial_of_a_variant_runs_at_smoke_size(
    storage: Storage, path: Path, variant: str
) -> None:
    study_file = read_study_file(path, smoke=True, variant=variant)
    bench, search = Workbench(storage, torch.device("cpu")), Search(study_file)
    done = 0
    while (suggestion := search.ask()) is not None:
        spec = study_file.spec(suggestion.picks)
        name = study_file.study.name
        trial = TrialRun(Assignment(name, suggestion.number, suggestion.seed, spec), bench, Team())
        report = trial.advance(lambda: False, lambda step: None)
        while report.outcome == "running":
            report = trial.advance(lambda: False, lambda step: None)
        assert report.outcome == "done"
        assert report.score is not None
        assert math.isfinite(report.score.value)
        search.complete(suggestion.number, [report.score.value])
        done += 1
    assert done == search.planned
