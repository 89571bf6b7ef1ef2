"""A simulated day of study on 16 lanes, beside bare Optuna that is asked and told the same.

    .venv/bin/python benchmarks/simulation.py [--lanes 16] [--trials 1200] [--json FILE]

Random search with successive halving. What ours takes beyond the peer is the driver, its ledger and
the lanes' event loop; needs neither torch nor ray.
"""

from __future__ import annotations

import math
import tempfile
import time

import optuna
from table import lower_is_better, parser, show

from study.driver.events import Event, TrialReported
from study.driver.messages import Assignment
from study.results.storage import Storage
from study.simulation.learning_curves import Curve, Point
from study.simulation.run import simulate
from study.spec import Picks, read_study_text

STUDY = """\
name: day
data: {dataset: digits}
model:
  family: ddpm
  timesteps: {int: [100, 400], log: true}
  schedule:
    choice:
      - {kind: linear, scaled: true, beta_end: {float: [0.01, 0.04], log: true}}
      - {kind: cosine, max_beta: {float: [0.1, 0.999]}}
  network: {kind: unet, channels: {choice: [[8, 16], [16, 32]]}}
train: {epochs: 27, batch_size: {choice: [16, 32, 64]}, learning_rate: {float: [1e-4, 1e-2], log: true}}
score: {metric: fd_pixels, samples: 500, steps: 20}
search: {sampler: random, pruner: {kind: asha, reduction_factor: 3}, trials: 1200}
"""  # noqa: E501
EPOCHS = 27


def score(rate: float, epoch: int) -> float:
    """A score that falls with the epochs, to how far the learning rate is from 1e-3."""
    return abs(math.log(rate / 1e-3)) + 5 / epoch


def curve(assignment: Assignment, picks: Picks) -> Curve:
    """Six minutes an epoch, and half a minute for its score."""
    rate = float(picks["train.learning_rate"] or 1)
    return Curve([Point(1000 * e, 360.0 * e, score(rate, e), 30.0) for e in range(1, EPOCHS + 1)])


def ours(lanes: int, trials: int) -> tuple[float, float, int]:
    """Seconds that it takes, hours that it simulates, and reports."""
    study_file = read_study_text(STUDY.replace("1200", str(trials)), "benchmark")
    reports = 0

    def count(event: Event) -> None:
        nonlocal reports
        reports += isinstance(event, TrialReported)

    with tempfile.TemporaryDirectory() as folder:
        clock = time.perf_counter()
        storage = Storage.from_uri(folder)
        result = simulate(study_file, storage, curve, lanes=lanes, listeners=[count])
        return time.perf_counter() - clock, result.seconds / 3600, reports


def bare(trials: int) -> float:
    """Seconds that Optuna alone takes for as many trials, one after the other."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    clock = time.perf_counter()
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), pruner=pruner)

    def objective(trial: optuna.Trial) -> float:
        trial.suggest_int("timesteps", 100, 400, log=True)
        if trial.suggest_categorical("schedule", ["linear", "cosine"]) == "linear":
            trial.suggest_float("beta_end", 0.01, 0.04, log=True)
        else:
            trial.suggest_float("max_beta", 0.1, 0.999)
        trial.suggest_categorical("channels", ["[8, 16]", "[16, 32]"])
        trial.suggest_categorical("batch_size", [16, 32, 64])
        rate = trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True)
        for epoch in range(1, EPOCHS + 1):
            trial.report(score(rate, epoch), epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score(rate, EPOCHS)

    study.optimize(objective, n_trials=trials)
    return time.perf_counter() - clock


def main() -> None:
    """Take turns, and compare the medians."""
    arguments = parser(__doc__ or "")
    arguments.add_argument("--lanes", type=int, default=16)
    arguments.add_argument("--trials", type=int, default=1200)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    turns = [
        (ours(options.lanes, options.trials), bare(options.trials)) for _ in range(options.rounds)
    ]
    (seconds, hours, reports), peer = sorted(turns)[len(turns) // 2]
    print(
        f"{hours:.1f} simulated hours of {options.lanes} lanes: {options.trials} trials, ", end=""
    )
    print(f"{reports} reports")
    show([lower_is_better("the whole study", seconds, peer, "Optuna alone", "s")], options.json)


if __name__ == "__main__":
    main()
