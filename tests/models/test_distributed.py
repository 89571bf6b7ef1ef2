from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from paths import HELPERS
from torch import Tensor

import models
from models import TrainingOptions, TrainingState, build_family, train


def test_two_workers_train_the_weights_that_one_trains(
    model: dict[str, Any], digits: Tensor, tmp_path: Path
) -> None:
    images = digits[:17]  # with batches of 8: a last batch of 1, of which one worker has nothing
    torch.save((model, images.clone()), tmp_path / "inputs")
    root = Path(models.__file__).parents[1]
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                str(HELPERS / "training_worker.py"),
                str(rank),
                "2",
                *(str(tmp_path / name) for name in ("meeting", "inputs", f"output{rank}")),
            ],
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for rank in range(2)
    ]
    try:
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()

    options = TrainingOptions(batch_size=8, learning_rate=0.1, seed=3, optimizer="sgd")
    alone = TrainingState(build_family(model, (1, 8, 8), seed=0), options)
    losses = torch.stack([step.loss for step in train(alone, images, epochs=2)])
    for rank in range(2):
        state, mean = torch.load(tmp_path / f"output{rank}", weights_only=True)
        torch.testing.assert_close(mean, losses)
        assert state["images_seen"] == alone.images_seen == 34
        for kind in ("family", "ema"):
            for name, weight in alone.state_dict()[kind].items():
                torch.testing.assert_close(state[kind][name], weight, rtol=1e-5, atol=1e-6)
