"""Scoring beside pytorch-fid, clean-fid, torch-fidelity and torchmetrics: `benchmarks/scoring.py`.

Three things, for each of them that is installed (`pip install -e '.[benchmarks]'`):

- images/s through Inception, from uint8 images of 256 x 256 in memory to features, each library
  with its own resize, network and default batch;
- the Fréchet distance of features [N, 2048] to a reference of which each library keeps what it can
  (ours the root of the covariance), from the features to the number; and once more ours with its
  standard error, as trials and `study score` take it, beside the distance alone of the others, who
  have no such thing;
- the peak memory of a process that takes the FID of two folders of pictures.

Each measurement is a process of its own, and the processes take turns; a turn's figure is the
median of its repetitions, and the table shows medians over turns. Peers read the same weights as
ours. All run on the GPU if there is one.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch
from peers import DIM
from PIL import Image
from scorers import PEERS, SCORERS, Ours, Scorer, silence, write_weights
from table import Row, higher_is_better, lower_is_better, parser, show
from torch import Tensor

SIDE = 256
ENOUGH = 10.0
"""Seconds of a turn after which nothing is repeated: some peers take a matrix square root."""

JOBS = ("images", "distance", "memory")
WITH_ERROR = "ours, with the standard error"


def main() -> None:
    """Measure, or be one of the processes that do."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--rounds", type=int, default=3, help="turns of each contestant")
    arguments.add_argument("--images", type=int, default=100, help="through Inception in a turn")
    arguments.add_argument(
        "--counts", type=int, nargs="+", default=[5000, 1000], help="N of the distances"
    )
    arguments.add_argument("--repeats", type=int, default=3, help="distances in a turn")
    arguments.add_argument("--pictures", type=int, default=200, help="in each folder")
    arguments.add_argument("--jobs", nargs="+", choices=JOBS, default=[*JOBS])
    arguments.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    arguments.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    arguments.add_argument("--run", choices=[*SCORERS], help="be this process")
    arguments.add_argument("--folder", type=Path, help="of weights and pictures")
    arguments.add_argument("--job", choices=[*DO])
    arguments.add_argument("--count", type=int, default=0)
    given = arguments.parse_args()
    if given.run:
        print(json.dumps(DO[given.job](given)))
        return
    peers = [peer for peer in given.peers if installed(peer)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_weights(folder)
        if "memory" in given.jobs:
            write_pictures(folder, given.pictures)
        show(compare(given, peers, folder), given.json)


def installed(peer: str) -> bool:
    """Whether a peer is there; says so if not."""
    module = {"clean-fid": "cleanfid"}.get(peer, peer.replace("-", "_"))
    found = importlib.util.find_spec(module) is not None
    if not found:
        print(f"{peer} is not installed: left out", file=sys.stderr)
    return found


def write_pictures(folder: Path, count: int) -> None:
    """Two folders of noisy pictures; what they show makes no difference."""
    generator = torch.Generator().manual_seed(0)
    for name in ("generated", "real"):
        (folder / name).mkdir()
        for index in range(count):
            pixels = torch.randint(0, 256, (SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)
            Image.fromarray(pixels.numpy()).save(folder / name / f"{index:05}.png")


def compare(given: Namespace, peers: list[str], folder: Path) -> list[Row]:
    """All measurements, in turns."""
    names = ["ours", *peers]
    plan = [("images", 0)] if "images" in given.jobs else []
    plan += [("distance", count) for count in given.counts if "distance" in given.jobs]
    plan += [("memory", 0)] if "memory" in given.jobs else []
    rows: list[Row] = []
    for job, count in plan:
        turns: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(1 if job == "memory" else given.rounds):
            for name in names:
                turns[name].append(in_process(name, job, count, folder))
            if job == "distance":
                turns.setdefault(WITH_ERROR, []).append(in_process("ours", "error", count, folder))
        medians = {name: statistics.median(values) for name, values in turns.items() if all(values)}
        for name, what in (("ours", job), (WITH_ERROR, "error")):
            if name in medians:
                rows += [
                    row(what, count, medians[name], medians[peer], peer, given)
                    for peer in peers
                    if peer in medians
                ]
    return rows


def row(job: str, count: int, ours: float, theirs: float, peer: str, given: Namespace) -> Row:
    """One line of the table."""
    if job == "images":
        return higher_is_better(f"Inception, {given.device}", ours, theirs, peer, "images/s")
    if job == "distance":
        return lower_is_better(f"distance, N = {count}, d = {DIM}", ours, theirs, peer, "s")
    if job == "error":
        name = f"distance with its standard error, N = {count}, d = {DIM}"
        return lower_is_better(name, ours, theirs, f"{peer}, distance alone", "s")
    name = f"peak memory, 2 x {given.pictures} pictures"
    return lower_is_better(name, ours, theirs, peer, "MiB")


def in_process(name: str, job: str, count: int, folder: Path) -> float:
    """One turn of a contestant, with this run's own settings; 0 if it fails, which is said."""
    command = [sys.executable, __file__, *sys.argv[1:], "--run", name, "--folder", str(folder)]
    command += ["--job", job, "--count", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    what = f"{name:16} {job} {count or ''}"
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{what} failed: {reason}", file=sys.stderr)
        return 0.0
    value = float(json.loads(done.stdout.splitlines()[-1]))
    print(f"{what} {value:.4g}", file=sys.stderr)
    return value


def images(given: Namespace) -> float:
    """Images a second through a contestant's network."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(
        0, 256, (given.images, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator
    )
    with silence():
        scorer = SCORERS[given.run](given.folder, given.device)
        scorer.embed(pixels[:64])  # the network is made, kernels are chosen
        clock = time.perf_counter()
        scorer.embed(pixels)
        return given.images / (time.perf_counter() - clock)


def distance(given: Namespace) -> float:
    """Seconds from features to the distance, the reference being kept: the median."""
    with silence():
        scorer = SCORERS[given.run](given.folder, given.device)
        return seconds(scorer, scorer.distance, given)


def error(given: Namespace) -> float:
    """Seconds from features to our distance with its standard error: the median."""
    with silence():
        scorer = Ours(given.folder, given.device)
        return seconds(scorer, scorer.distance_and_error, given)


def seconds(scorer: Scorer, take: Callable[[Tensor], object], given: Namespace) -> float:
    """Seconds to take a distance to what the contestant has kept: the median."""
    scorer.keep(features(5000, seed=1))
    generated = features(given.count, seed=2)
    taken: list[float] = []
    for _ in range(given.repeats):
        clock = time.perf_counter()
        take(generated)
        taken.append(time.perf_counter() - clock)
        if sum(taken) > ENOUGH:
            break
    return statistics.median(taken)


def features(count: int, seed: int) -> Tensor:
    """Positive features whose variances fall as Inception's do: float32 [N, 2048]."""
    mix = torch.randn(DIM, DIM, generator=torch.Generator().manual_seed(0)) / DIM**0.5
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(count, DIM, generator=generator) * torch.logspace(0, -2, DIM)
    return (draw @ mix + 0.2 + 0.01 * seed).relu()


def memory(given: Namespace) -> float:
    """MiB that the process needs at its peak to take the FID of two folders."""
    with silence():
        scorer = SCORERS[given.run](given.folder, given.device)
        scorer.folders(given.folder / "generated", given.folder / "real")
    if given.device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


DO: dict[str, Callable[[Namespace], float]] = {
    "images": images,
    "distance": distance,
    "error": error,
    "memory": memory,
}


if __name__ == "__main__":
    main()
