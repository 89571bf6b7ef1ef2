from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from specs import plain
from specs import study_file as whole_file
from study_trees import changed, parse_study
from trained_trials import trained

from study.check import estimate as estimating
from study.check.estimate import MEASURED_BRANCHES, _asha_share, estimate
from study.driver.placement import Placement
from study.driver.trial_weights import trained_in
from study.results.storage import Storage
from study.spec import StudyFile, read_study_file

ONE = Placement(lanes=1, workers=1, cpus=1, gpus=0)


def test_a_study_is_measured_branch_by_branch() -> None:
    study_file = parse_study(changed(search={"pruner": "asha"}))
    threads = torch.get_num_threads()
    cost = estimate(study_file, ONE, trials=4)
    assert torch.get_num_threads() == threads
    assert len(cost.branches) == 3
    assert all(branch.parameters > 0 for branch in cost.branches)
    assert all(branch.seconds > 0 for branch in cost.branches)
    images = study_file.study.data.training_images
    assert cost.images == 4 * 9 * images
    assert cost.evaluations == 4 * 9 * 16 * 5
    mean = sum(branch.seconds for branch in cost.branches) / 3
    assert cost.unpruned == pytest.approx(4 * mean)
    assert not cost.at_most
    assert cost.pruned == pytest.approx(cost.unpruned * (1 + 2 / 3 + 6 / 9) / 9)


def test_at_most_is_for_the_longest_training() -> None:
    train = {"epochs": {"int": [2, 20]}, "batch_size": 256, "learning_rate": 1e-3}
    study_file = parse_study(changed(train=train, score={"every": 3}))
    cost = estimate(study_file, ONE, trials=2)
    assert cost.images == 2 * 20 * study_file.study.data.training_images
    assert cost.evaluations == 2 * 7 * 16 * 5
    assert cost.pruned is None
    assert cost.at_most


def test_many_branches_are_sampled() -> None:
    schedule = {"choice": [{"kind": "constant", "beta": 0.01 + i / 1000} for i in range(20)]}
    cost = estimate(parse_study(changed(model={"schedule": schedule})), ONE, trials=1)
    assert len(cost.branches) <= MEASURED_BRANCHES


@pytest.mark.parametrize(
    ("pruner", "epochs", "share"),
    [
        ({"kind": "asha", "reduction_factor": 3}, 1, 1.0),
        ({"kind": "asha", "reduction_factor": 3}, 9, (1 + 2 / 3 + 6 / 9) / 9),
        ({"kind": "asha", "reduction_factor": 2, "min_epochs": 4}, 8, (4 + 4 / 2) / 8),
        ({"kind": "asha", "reduction_factor": 2, "early_stopping_rate": 2}, 8, (4 + 4 / 2) / 8),
    ],
)
def test_the_share_that_successive_halving_runs(
    pruner: dict[str, object], epochs: int, share: float
) -> None:
    study = parse_study(changed(train={"epochs": epochs}, search={"pruner": pruner})).study
    assert _asha_share(study) == pytest.approx(share)


def seconds_of_an_image(monkeypatch: pytest.MonkeyPatch, **embedders: float) -> None:
    """Embedders take as long as is said, and others no time."""
    monkeypatch.setattr(estimating, "_embedding_seconds", lambda name, *_: embedders.get(name, 0.0))


def test_the_finals_cost_what_their_own_steps_and_metric_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds_of_an_image(monkeypatch, inception=0.5)
    finals = {"top": 2, "training_seeds": 3, "sampling_seeds": 2, "samples": 100, "steps": 40}
    file = whole_file(score={"steps": 2}, finalists={**finals, "metric": "fid"})
    two_lanes = Placement(lanes=2, workers=3, cpus=1, gpus=0)
    cost = estimate(file, two_lanes, trials=4)
    (branch,) = cost.branches
    # The search: two epochs, scored after each by 64 images of 2 steps, whose pixels cost nothing.
    assert branch.score_seconds == pytest.approx(2 * 64 * 2 * branch.evaluation_seconds / 3)
    an_image = 40 * branch.evaluation_seconds + 0.5
    assert branch.final_score_seconds == pytest.approx(2 * 100 * an_image / 3)
    finals_seconds = 6 * (branch.train_seconds + branch.final_score_seconds) / 2
    assert cost.unpruned == pytest.approx(4 * branch.seconds / 2 + finals_seconds)
    assert cost.final_runs == 6
    assert cost.evaluations == 4 * 2 * 64 * 2 + 6 * 2 * 100 * 40


def test_without_finals_there_is_nothing_to_pay_for_them() -> None:
    (branch,) = estimate(whole_file(), ONE, trials=1).branches
    assert branch.final_score_seconds == 0.0


def test_a_rung_costs_what_its_own_metric_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds_of_an_image(monkeypatch, inception=1e3)
    rungs = [{"until": 3, "samples": 10, "metric": "sliced_wasserstein"}, {"epochs": 2}]
    train = {"epochs": {"int": [1, 6]}, "batch_size": 256, "learning_rate": 1e-3}
    file = whole_file(train=train, score={"metric": "fid", "every": rungs})
    (branch,) = estimate(file, ONE, trials=1).branches
    # After epochs 1, 2, 3 nothing is shown to Inception; after 5 and 6 it sees 64 images each.
    evaluations = (3 * 10 + 2 * 64) * 5 * branch.evaluation_seconds
    assert branch.score_seconds == pytest.approx(2 * 64 * 1e3 + evaluations)


def sweep(folder: Path, **score: Any) -> StudyFile:
    """A sweep over a trained trial."""
    storage = Storage.from_uri(str(folder / "studies"))
    storage.claim("small", yaml.safe_dump(plain()))
    trained(storage, 0)
    file = {"name": "sweep", "weights": {"study": "small", "trial": 0}, "score": score}
    path = folder / "sweep.yaml"
    path.write_text(yaml.safe_dump({**file, "search": {"trials": 3}}))
    return read_study_file(path, find_trial=trained_in(storage.uri))


@pytest.mark.parametrize(
    "steps", [{"int": [2, 40]}, {"choice": [2, 40]}, {"choice": {"few": 2, "many": 40}}]
)
def test_a_sweep_is_reckoned_with_its_most_steps(tmp_path: Path, steps: dict[str, Any]) -> None:
    cost = estimate(sweep(tmp_path, steps=steps), ONE, trials=3)
    (branch,) = cost.branches
    assert branch.score_seconds == pytest.approx(64 * 40 * branch.evaluation_seconds)
    assert branch.train_seconds == 0.0
    assert cost.unpruned == pytest.approx(3 * branch.score_seconds)
    assert cost.evaluations == 3 * 64 * 40
    assert cost.at_most


def test_each_branch_is_reckoned_with_its_own_longest_training() -> None:
    short, long = ({"epochs": e, "learning_rate": 0.001} for e in (2, {"choice": [3, 7]}))
    file = whole_file(train={}, score={"every": 100})
    tree = {**yaml.safe_load(file.text), "train": {"choice": {"short": short, "long": long}}}
    tree["search"] = {"trials": 2}
    found = {
        picks["train"]: spec.train.epochs for picks, spec in estimating._longest(parse_study(tree))
    }
    assert found == {"short": 2, "long": 7}


OWN_EMBEDDER = """
def flat():
    return lambda images: images.flatten(1).float()
"""


def test_an_embedder_of_ones_own_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flat_embedder.py").write_text(OWN_EMBEDDER)
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = whole_file().study
    cpu = torch.device("cpu")
    assert estimating._embedding_seconds("flat_embedder:flat", spec, cpu) > 0.0
    assert estimating._embedding_seconds("pixels", spec, cpu) == 0.0


@pytest.mark.parametrize(("gpus", "device"), [(0.0, "cpu"), (0.5, "cuda")])
def test_embedders_are_timed_where_workers_compute(
    monkeypatch: pytest.MonkeyPatch, gpus: float, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert estimating._device(replace(ONE, gpus=gpus)) == torch.device(device)
