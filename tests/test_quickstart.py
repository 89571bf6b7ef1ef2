"""The quickstart's promise, on its own file and data: four times better than untrained."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from paths import ROOT, SEARCH_SPACES

from models.sampling import generate
from study.driver.messages import Assignment
from study.results.storage import Storage
from study.search import Search
from study.spec import read_study_file
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench

FILE = SEARCH_SPACES / "quickstart.yaml"


@pytest.mark.slow
def test_the_starting_point_scores_at_most_a_quarter_of_an_untrained_network(
    tmp_path: Path,
) -> None:
    study_file = read_study_file(FILE)
    suggestion = Search(study_file).ask()  # the first is the file's starting point
    assert suggestion is not None
    spec = study_file.spec(suggestion.picks)
    bench = Workbench(Storage.from_uri(str(tmp_path)), torch.device("cpu"))
    assignment = Assignment("quickstart", 0, suggestion.seed, spec)
    trial = TrialRun(assignment, bench, Team())
    scorer = bench.scorer(spec.data, spec.score)
    how = spec.sampling
    settings = {"sampler": how.sampler, "steps": how.steps, "seed": spec.score.seed}
    noise = generate(trial.state.ema, spec.score.samples, **settings)
    untrained = scorer.distance(scorer.features(noise))

    report = trial.advance(lambda: False, lambda step: None)
    while report.outcome == "running":
        report = trial.advance(lambda: False, lambda step: None)
    assert report.score is not None
    assert report.score.value <= untrained / 4, (report.score.value, untrained)

    # Digits are bright strokes on black: the share of bright pixels is that of the real ones.
    images = generate(trial.state.ema, 128, **settings).numpy()
    real = bench.images(spec.data).parts.held_out.images
    assert abs(np.mean(images > 127) - np.mean(real > 127)) < 0.05


def test_the_file_is_the_study_that_the_readme_promises() -> None:
    study_file = read_study_file(FILE)
    names = {dimension.name for dimension in study_file.space.dimensions()}
    assert {
        "model.schedule",
        "model.timesteps",
        "model.network.channels",
        "train.learning_rate",
        "train.batch_size",
    } <= names
    kinds = {branch.study.model.schedule.kind for branch in study_file.branches()}
    assert kinds == {"linear", "cosine", "constant", "inverse_linear"}
    settings = study_file.study.search
    assert (settings.sampler, settings.pruner.kind) == ("tpe", "asha")
    assert settings.trials >= 12


@pytest.mark.parametrize(
    ("storage", "taken", "name"),
    [
        ("", False, "quickstart"),
        ("", True, r"quickstart-\d{8}-\d{6}"),
        ("elsewhere", False, "quickstart"),
        ("elsewhere", True, r"quickstart-\d{8}-\d{6}"),
        ("s3://bucket/studies", False, r"quickstart-\d{8}-\d{6}"),  # make cannot look there
    ],
)
def test_make_calls_it_quickstart_unless_that_is_taken(
    tmp_path: Path, storage: str, taken: bool, name: str
) -> None:
    for file in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / file, tmp_path / file)
    if taken:
        (tmp_path / (storage or "studies") / "quickstart").mkdir(parents=True)
    environment = {**os.environ, "STUDY_STORAGE": storage}
    for name_of_another_make in ("NAME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"):  # it runs the tests
        environment.pop(name_of_another_make, None)
    made = subprocess.run(
        ["make", "-n", "quickstart"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    command = made.stdout.splitlines()[-1]
    assert re.fullmatch(rf".*study run search_spaces/quickstart.yaml --name {name}", command)
