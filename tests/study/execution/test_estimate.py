from __future__ import annotations

import pytest
import torch
from study_trees import changed, parse_study

from study.execution.estimate import MEASURED_BRANCHES, _asha_share, estimate
from study.execution.placement import Placement

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
    assert cost.pruned == pytest.approx(cost.unpruned * (1 + 2 / 3 + 6 / 9) / 9)


def test_at_most_is_for_the_longest_training() -> None:
    train = {"epochs": {"int": [2, 20]}, "batch_size": 256, "learning_rate": 1e-3}
    study_file = parse_study(changed(train=train, score={"every": 3}))
    cost = estimate(study_file, ONE, trials=2)
    assert cost.images == 2 * 20 * study_file.study.data.training_images
    assert cost.evaluations == 2 * 7 * 16 * 5
    assert cost.pruned is None


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
