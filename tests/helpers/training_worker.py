"""One worker of `tests/models/test_training.py`: trains with the others, and saves its weights.

Arguments: rank, number of workers, file to meet in, file with model and images, file to write.
"""

from __future__ import annotations

import faulthandler
import sys

import torch
from torch import Tensor, distributed

from models import TrainingOptions, TrainingState, build_family, train


def main(rank: int, world: int, meeting: str, inputs: str, output: str) -> None:
    torch.set_num_threads(1)
    faulthandler.dump_traceback_later(240, exit=True)  # a worker that hangs says where
    model, images = torch.load(inputs)
    distributed.init_process_group(
        "gloo", init_method=f"file://{meeting}", rank=rank, world_size=world
    )
    family = build_family(model, (1, 8, 8), seed=0)
    options = TrainingOptions(batch_size=8, learning_rate=0.1, seed=3, optimizer="sgd")
    state = TrainingState(family, options)

    def average(tensors: list[Tensor]) -> None:
        for tensor in tensors:
            distributed.all_reduce(tensor)
            tensor /= world

    steps = train(state, images, epochs=2, average=average, rank=rank, world=world)
    total = torch.stack([step.loss for step in steps])
    distributed.all_reduce(total)
    torch.save((state.state_dict(), total / world), output)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
