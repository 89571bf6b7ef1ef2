"""Two workers over gloo: each image once an epoch, equal weights, the same scores as one."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.multiprocessing as mp
from team_ranks import train_rank

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def outcomes() -> dict[tuple[int, int], dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        for world in (1, 2):
            mp.spawn(train_rank, (world, folder), nprocs=world)
        return {
            (world, rank): torch.load(Path(folder) / f"{world}-{rank}.pt")
            for world in (1, 2)
            for rank in range(world)
        }


def test_two_workers_see_each_image_once_an_epoch(
    outcomes: dict[tuple[int, int], dict[str, Any]],
) -> None:
    def images(*states: dict[str, Any]) -> torch.Tensor:
        flat = torch.cat([state["seen"] for state in states]).flatten(1)
        return flat[torch.from_numpy(np.lexsort(flat.T.numpy()))]

    alone = images(outcomes[1, 0])
    shared = images(outcomes[2, 0], outcomes[2, 1])
    assert torch.equal(alone, shared)
    shares = [len(outcomes[2, rank]["seen"]) for rank in (0, 1)]
    assert abs(shares[0] - shares[1]) <= len(alone) // 100 + 1


def test_two_workers_hold_equal_weights_close_to_one_workers(
    outcomes: dict[tuple[int, int], dict[str, Any]],
) -> None:
    first, second, alone = (outcomes[key]["weights"] for key in ((2, 0), (2, 1), (1, 0)))
    assert all(torch.equal(first[name], second[name]) for name in first)
    for name in first:
        torch.testing.assert_close(first[name], alone[name], rtol=1e-2, atol=1e-3)


def test_only_rank_0_scores_and_its_score_and_loss_are_one_workers(
    outcomes: dict[tuple[int, int], dict[str, Any]],
) -> None:
    assert outcomes[2, 1]["value"] is None
    assert outcomes[2, 0]["value"] == pytest.approx(outcomes[1, 0]["value"], rel=1e-3)
    assert outcomes[2, 0]["loss"] == pytest.approx(outcomes[1, 0]["loss"], rel=1e-4)
    assert outcomes[2, 0]["loss"] == outcomes[2, 1]["loss"]


def test_a_stop_asked_of_one_worker_stops_all(
    outcomes: dict[tuple[int, int], dict[str, Any]],
) -> None:
    assert outcomes[2, 0]["second"] == outcomes[2, 1]["second"] == "interrupted"


def test_rows_are_gathered_on_rank_0_alone(
    outcomes: dict[tuple[int, int], dict[str, Any]],
) -> None:
    assert outcomes[1, 0]["gathered"].tolist() == [[0, 0]]
    assert outcomes[2, 0]["gathered"].tolist() == [[0, 0], [1, 1], [1, 1]]  # in order of ranks
    assert outcomes[2, 1]["gathered"] is None
