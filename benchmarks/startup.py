"""How soon the program answers: `python benchmarks/startup.py`.

Wall-clock and CPU seconds of commands that only read, each in a process of its own, the medians of
several turns; ours and the peers' take turns. The ledger that they read is a simulated study. The
peers answer the question nearest to ours: `optuna studies` and `optuna best-trial` read a study of
as many trials from SQLite, `ray --version` only starts.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from table import Row, lower_is_better, parser, show

from study.results.storage import Storage
from study.simulation.learning_curves import Curve, Point
from study.simulation.run import simulate
from study.spec import Picks, read_study_text

STUDY = """
name: digits
data: {dataset: digits}
model:
  family: ddpm
  timesteps: {int: [10, 400]}
  schedule: {kind: cosine}
  network: {kind: unet, channels: [4]}
train: {epochs: 3, batch_size: 32, learning_rate: {float: [1.0e-4, 1.0e-2], log: true}}
score: {metric: fd_pixels, samples: 16, steps: 1}
search: {sampler: random, trials: TRIALS}
"""
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Seconds:
    """What a command took."""

    wall: float
    cpu: float


def measure(command: Sequence[str], folder: Path, code: int) -> Seconds:
    """Run a command once, and check how it ends."""
    before, clock = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    wall, after = time.perf_counter() - clock, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == code, (command, done.stdout, done.stderr)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Seconds(wall, cpu)


def make_ledger(folder: Path, trials: int) -> None:
    """A simulated study, and a study file with a mistake in it."""

    def curve(assignment: object, picks: Picks) -> Curve:
        value = float(picks["train.learning_rate"] or 0)
        points = [Point(100 * e, 1.0 * e, value / e, 0.1, 0.01, 1 / e) for e in range(1, 4)]
        return Curve(points, parameters=100)

    file = read_study_text(STUDY.replace("TRIALS", str(trials)), "digits")
    simulate(file, Storage.from_uri(str(folder / "studies")), curve, lanes=8)
    (folder / "mistake.yaml").write_text(STUDY.replace("timesteps", "timestep"))


def make_peer(folder: Path, trials: int) -> str:
    """As many trials in Optuna's own SQLite storage; answers its address."""
    address = f"sqlite:///{folder / 'optuna.db'}"
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="digits", storage=address)
    study.optimize(lambda trial: trial.suggest_float("rate", 0, 1), n_trials=trials)
    return address


def main() -> None:
    arguments = parser("How soon the program answers.")
    arguments.add_argument("--trials", type=int, default=100, help="in the ledger that is read")
    arguments.add_argument("--rounds", type=int, default=5, help="turns of ours and the peers")
    options = arguments.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="fidtune-startup-") as name:
        folder = Path(name)
        make_ledger(folder, options.trials)
        address = make_peer(folder, options.trials)
        ours = [sys.executable, "-m", "study"]
        listing = [str(BIN / "optuna"), "studies", "--storage", address]
        best = [str(BIN / "optuna"), "best-trial", "--storage", address, "--study-name", "digits"]
        version = [str(BIN / "ray"), "--version"]
        sql = "select trial, value from trials order by value limit 10"
        pairs = [
            (["--help"], 0, version, "ray --version"),
            (["list"], 0, listing, "optuna studies"),
            (["status", "digits"], 0, best, "optuna best-trial"),
            (["best", "digits"], 0, best, "optuna best-trial"),
            (["query", sql], 0, best, "optuna best-trial"),
            (["check", "mistake.yaml"], 2, version, "ray --version"),
        ]
        os.environ.pop("STUDY_STORAGE", None)  # so that ./studies is read
        for command, code, peer, peer_name in pairs:
            turns = [
                (measure([*ours, *command], folder, code), measure(peer, folder, 0))
                for _ in range(options.rounds)
            ]
            label = f"study {command[0]}" + (" of a mistake" if code else "")
            for kind in ("wall", "cpu"):
                mine, theirs = (
                    statistics.median(getattr(turn[side], kind) for turn in turns)
                    for side in (0, 1)
                )
                rows.append(lower_is_better(f"{label}, {kind}", mine, theirs, peer_name, "s"))
    show(rows, options.json)


if __name__ == "__main__":
    main()
