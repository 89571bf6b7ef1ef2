"""Every recipe of `search_spaces`, run at smoke size.

The studies themselves run on Ray, lanes and all. Their variants, which differ in the trials and not
in how they are run, are trained trial by trial in this process.
"""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import ray
import torch
import yaml
from paths import SEARCH_SPACES

import study.lanes.run as running
from study.driver.events import Event
from study.driver.messages import Assignment, Progress
from study.results.leaderboard import read_leaderboard
from study.results.query import query
from study.results.storage import Storage
from study.search import Search
from study.spec import read_study_file
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench

FOLDER = SEARCH_SPACES
RECIPES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "quickstart")
VARIANTS = [
    (path, name)
    for path in RECIPES
    for name in yaml.safe_load(path.read_text()).get("variants", {})
]


class Silent:
    """A display that shows nothing."""

    def message(self, text: str) -> None: ...
    def event(self, event: Event) -> None: ...
    def lanes(self, lanes: list[Progress]) -> None: ...
    def close(self) -> None: ...


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    return Storage.from_uri(str(tmp_path_factory.mktemp("studies")))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_at_smoke_size(ray_session: None, storage: Storage, path: Path) -> None:
    study_file = read_study_file(path, smoke=True)
    assert ray.is_initialized()
    result = running.run_study(study_file, storage, display=Silent())
    rows = query(storage, "select stage, state, reason, value from trials", [result.study])
    trials = [row for row in rows.to_pylist() if row["stage"] == "search"]
    assert len(trials) == Search(study_file).planned
    finalists = study_file.study.finalists
    runs = [row for row in rows.to_pylist() if row["stage"] == "final"]
    assert len(runs) == (0 if finalists is None else finalists.runs)
    assert {run["state"] for run in runs} <= {"complete"}, runs
    assert {trial["state"] for trial in trials} <= {"complete", "pruned"}, trials
    ranked = read_leaderboard(storage, result.study).ranked
    assert len(ranked) == len(trials)
    assert all(math.isfinite(row.value) for row in ranked)
    assert result.board.leader is not None
    if finalists is None:
        assert result.board.leader.trial == ranked[0].trial
    else:
        assert result.board.leader.trial in [one.trial for one in ranked[: finalists.top]]
    losses = query(storage, "select loss from reports", [result.study])["loss"].to_pylist()
    assert losses
    assert all(math.isfinite(loss) for loss in losses)


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
