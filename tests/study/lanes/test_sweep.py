"""A sweep over samplers and steps, on a real Ray."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from recording import Recorder
from specs import plain
from trained_trials import trained

import study
from study.lanes.run import run_study
from study.results.storage import Storage
from study.trained.rescore import rescore

pytestmark = pytest.mark.usefixtures("ray_session")

FILE = """\
name: sweep
weights: {study: small, trial: 0}
score: {sampler: {choice: [ddim, ancestral]}, steps: {int: [2, 9]}}
search: {sampler: random, trials: 5, objectives: [score, steps]}
scale: {lanes: 1}
"""


def test_a_sweep_goes_through_the_lanes(tmp_path: Path) -> None:
    storage = Storage.from_uri(str(tmp_path / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    trained(storage, 0)
    (tmp_path / "sweep.yaml").write_text(FILE)
    sweep = study.Study.from_file(tmp_path / "sweep.yaml", storage=storage.uri)
    run_study(sweep.file, storage, display=Recorder())
    results = study.open("sweep", storage.uri)
    assert set(results.trials["state"]) == {"complete"}
    assert len(results.reports) == 0
    # A trial of the sweep is what `study rescore` makes of the trained trial.
    row = results.scores.iloc[0]
    changes = {"sampler": str(row["sampler"]), "steps": int(row["steps"])}
    rescore(storage, "small", trials=[0], changes=changes)
    (again,) = study.open("small", storage.uri).query(
        "select value from scores where stage = 'rescore'"
    )["value"]
    assert again == pytest.approx(row["value"], rel=1e-5)


def test_two_workers_score_a_trial_as_one_does(tmp_path: Path) -> None:
    """The same weights, 300 images: three chunks, which two workers share."""
    storage = Storage.from_uri(str(tmp_path / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    trained(storage, 0)
    (tmp_path / "sweep.yaml").write_text(
        "name: one\n"
        "weights: {study: small, trial: 0}\n"
        "score: {metric: fd_vae, samples: 300, also: [kid, precision, coverage, memorisation]}\n"
        "search: {trials: 1}\n"
    )
    for name, workers in (("one", 1), ("two", 2)):
        changes = [f"scale={{workers_per_trial: {workers}}}"]
        sweep = study.Study.from_file(tmp_path / "sweep.yaml", changes, name, storage=storage.uri)
        run_study(sweep.file, storage, display=Recorder())
    one, two = (
        study.open(name, storage.uri).scores.set_index("metric")["value"] for name in ("one", "two")
    )
    assert set(one.index) == {"fd_vae", "kid_vae", "precision", "coverage", "memorisation"}
    assert two.to_dict() == pytest.approx(one.to_dict(), rel=1e-6)
