"""Training and sampling of our U-Net and loop beside three libraries: `benchmarks/training.py`.

Peers: denoising-diffusion-pytorch, diffusers and smalldiffusion (`pip install -e '.[benchmarks]'`),
each with its own network, loss, loop and DDIM sampler, as its documentation has them, on the same
images and batch. Against each, our U-Net has three resolutions, widths of about 1:2:4, and as many
parameters as that peer's, as nearly as multiples of 8 channels allow.

Every measurement is a process of its own, so that peak memory is its own; the processes take turns,
so that all see the same machine. On CUDA ours trains as `precision: auto` has it, and `--compile`
compiles it; the peers train in mixed bfloat16 as well.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice

import torch
from contestants import CONTESTANTS, PEERS, Contestant, Setting
from table import Row, higher_is_better, lower_is_better, parser, show

WARM_UP = 3
"""Batches and images that are not timed: memory is asked for, kernels are chosen."""


@dataclass(frozen=True)
class Measured:
    """What one process found."""

    parameters: int
    train: float  # images a second
    sample: float  # images a second
    memory: float  # MiB above what the imports took


def main() -> None:
    """Measure, or be one of the processes that do."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--rounds", type=int, default=3, help="turns of each contestant")
    arguments.add_argument("--batches", type=int, default=30, help="timed batches in a turn")
    arguments.add_argument("--batch-size", type=int, default=128)
    arguments.add_argument("--side", type=int, default=28, help="of the grey images, in pixels")
    arguments.add_argument(
        "--width", type=int, default=16, help="channels of the peers' first level"
    )
    arguments.add_argument("--samples", type=int, default=128)
    arguments.add_argument("--steps", type=int, default=20, help="of DDIM")
    arguments.add_argument("--compile", action="store_true", help="torch.compile our networks")
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--peers", nargs="+", choices=[*PEERS], default=[*PEERS])
    arguments.add_argument("--run", choices=[*CONTESTANTS], help="be this process")
    arguments.add_argument("--parameters", type=int, default=0, help="of ours, about")
    given = arguments.parse_args()
    setting = Setting(
        side=given.side,
        batch_size=given.batch_size,
        width=given.width,
        samples=given.samples,
        steps=given.steps,
        device=given.device,
        compile=given.compile,
        parameters=given.parameters,
    )
    if given.run:
        print(json.dumps(asdict(measure(CONTESTANTS[given.run], setting, given.batches))))
        return
    rows: list[Row] = []
    for peer in given.peers:
        turns: dict[str, list[Measured]] = {"ours": [], peer: []}
        for _ in range(given.rounds):
            theirs = in_process(peer, 0)
            turns[peer].append(theirs)
            turns["ours"].append(in_process("ours", theirs.parameters))
        rows.extend(compare(peer, turns["ours"], turns[peer]))
    show(rows, given.json)


def in_process(name: str, parameters: int) -> Measured:
    """One turn of a contestant, with this run's own settings."""
    command = [sys.executable, __file__, *sys.argv[1:], "--run", name]
    done = subprocess.run(
        [*command, "--parameters", str(parameters)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{name}:\n{done.stderr}")
    measured = Measured(**json.loads(done.stdout.splitlines()[-1]))
    print(
        f"{name:28} {measured.parameters:9,} parameters  {measured.train:7.1f} images/s trained  "
        f"{measured.sample:7.1f} sampled  {measured.memory:6.0f} MiB",
        file=sys.stderr,
    )
    return measured


def measure(make: Callable[[Setting], Contestant], setting: Setting, batches: int) -> Measured:
    """Train and sample, timed."""
    cuda = setting.device == "cuda"
    wait = torch.cuda.synchronize if cuda else lambda: None
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    contestant = make(setting)
    steps: Iterator[None] = contestant.train()
    next(islice(steps, WARM_UP - 1, None))
    wait()
    clock = time.perf_counter()
    next(islice(steps, batches - 1, None))
    wait()
    trained = batches * setting.batch_size / (time.perf_counter() - clock)
    contestant.sample(1)  # a first step warms up
    wait()
    clock = time.perf_counter()
    contestant.sample(setting.steps)
    wait()
    sampled = setting.samples / (time.perf_counter() - clock)
    if cuda:
        memory = torch.cuda.max_memory_allocated() / 2**20
    else:
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10
    return Measured(contestant.parameters, trained, sampled, memory)


def compare(peer: str, ours: list[Measured], theirs: list[Measured]) -> list[Row]:
    """The medians, side by side."""

    def median(turns: list[Measured], name: str) -> float:
        return statistics.median(float(getattr(turn, name)) for turn in turns)

    who = f"{peer}, {theirs[0].parameters:,} parameters (ours {ours[0].parameters:,})"
    return [
        higher_is_better(
            "training", median(ours, "train"), median(theirs, "train"), who, "images/s"
        ),
        higher_is_better(
            "sampling, DDIM", median(ours, "sample"), median(theirs, "sample"), who, "images/s"
        ),
        lower_is_better(
            "peak memory", median(ours, "memory"), median(theirs, "memory"), who, "MiB"
        ),
    ]


if __name__ == "__main__":
    main()
