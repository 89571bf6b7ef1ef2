"""Every recipe of `search_spaces`, run at smoke size: on Ray, lanes and all."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import ray
from paths import SEARCH_SPACES

import study.lanes.run as running
from study.driver.events import Event
from study.driver.messages import Progress
from study.results.leaderboard import read_leaderboard
from study.results.query import query
from study.results.storage import Storage
from study.search import Search
from study.spec import read_study_file

FOLDER = SEARCH_SPACES
RECIPES = sorted(path for path in FOLDER.glob("*.yaml") if path.stem != "quickstart")


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
    # A single lane: starting one costs more than a smoke's trials.
    study_file = read_study_file(path, ["scale.lanes=1"], smoke=True)
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
