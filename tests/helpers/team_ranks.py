"""One trial trained by one worker or by two, each in a process of its own."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from specs import study

from study.driver.messages import Assignment
from study.results.storage import Storage
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench


def train_rank(rank: int, world: int, folder: str) -> None:
    """Train for an epoch, stop in the second, and leave what happened in the folder."""
    torch.set_num_threads(1)
    if world > 1:
        dist.init_process_group(
            "gloo", init_method=f"file://{folder}/rendezvous{world}", rank=rank, world_size=world
        )
    spec = study(train={"batch_size": 100}, score={"samples": 300})
    bench = Workbench(Storage.from_uri(f"{folder}/storage"), torch.device("cpu"))
    trial = TrialRun(Assignment(f"w{world}", 0, 3, spec), bench, Team(rank, world))
    seen: list[torch.Tensor] = []
    losses = trial.family.losses

    def watched(x0: torch.Tensor, *draws: torch.Tensor, **options: Any) -> Any:
        seen.append(x0.detach().clone())
        return losses(x0, *draws, **options)

    trial.family.losses = watched  # type: ignore[method-assign]
    report = trial.advance(lambda: False, lambda step: None)
    epoch = torch.cat(seen)
    stopped = trial.advance(lambda: rank == world - 1, lambda step: None)  # asked of one
    state = {
        "seen": epoch,
        "weights": {k: v.clone() for k, v in trial.family.state_dict().items()},
        "value": None if report.score is None else report.score.value,
        "loss": report.epochs[0].loss,
        "second": stopped.outcome,
        "gathered": trial.team.gather(torch.full((rank + 1, 2), float(rank))),
    }
    torch.save(state, f"{folder}/{world}-{rank}.pt")
    if world > 1:
        dist.destroy_process_group()
