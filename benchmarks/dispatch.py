"""What a lane costs: starting a trial, and training inside one. `python benchmarks/dispatch.py`.

1. Wall-clock time a trial, two at a time, for trials that hardly train. Beside it the pattern that
   Ray Train's guide documents under "Hyperparameter Tuning with Ray Tune": a Tune function
   trainable that starts a `TorchTrainer` for each trial. Its trials are a linear
   layer and three reports; ours are a small U-Net, three epochs, three reports, and also
   checkpoints, a score and the ledger.
2. Training throughput in a lane beside the same model, loss, optimizer, clipping and weight average
   in a bare Python loop. The two take turns in one run, so that both see the same machine.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import ray
import torch
from ray import train, tune
from ray.train import RunConfig, ScalingConfig
from table import Row, higher_is_better, lower_is_better, parser, show

from models.build import build_family
from models.images import to_float
from study.data import Preparation, load_images, split
from study.driver.events import Event, TrialEnded, TrialReported
from study.driver.messages import Progress
from study.lanes.run import run_study
from study.results.storage import Storage
from study.spec import StudyFile, read_study_text

EMPTY_TRIALS = """
name: empty
data: {dataset: digits, split: {kind: fraction, held_out: 0.9}}
model:
  family: ddpm
  timesteps: 50
  schedule: {kind: linear, scaled: true}
  network: {kind: unet, channels: [4]}
train: {epochs: 3, batch_size: 2048, learning_rate: {float: [1.0e-3, 1.0e-2]}}
score: {metric: fd_pixels, samples: 2, steps: 1}
search: {sampler: random, trials: TRIALS}
scale: {lanes: 2}
"""

FULL_TRIALS = """
name: full
data: {dataset: mnist5k, size: 16}
model:
  family: ddpm
  timesteps: 200
  schedule: {kind: linear, scaled: true}
  network: {kind: unet, channels: [16, 32, 64]}
train: {epochs: 2, batch_size: 64, learning_rate: {choice: RATES}}
score: {metric: fd_pixels, samples: 2, steps: 1, every: 2}
search: {sampler: grid, trials: TRIALS}
scale: {lanes: 1}
"""


class Watcher:
    """A display that shows nothing, and calls `act` with each event."""

    def __init__(self, act: Callable[[Event], None]) -> None:
        self.act = act

    def event(self, event: Event) -> None:
        self.act(event)

    def lanes(self, lanes: list[Progress]) -> None: ...

    def message(self, text: str) -> None: ...

    def close(self) -> None: ...


def ours_per_trial(trials: int) -> float:
    """Seconds a trial, from the end of the first two (lanes are up by then) to the last."""
    ends: list[float] = []

    def note(event: Event) -> None:
        if isinstance(event, TrialEnded):
            assert event.state == "complete", event
            ends.append(time.perf_counter())

    _run(read_study_text(EMPTY_TRIALS.replace("TRIALS", str(trials)), "empty"), Watcher(note))
    return (ends[-1] - ends[1]) / (len(ends) - 2)


def documented_per_trial(trials: int) -> float:
    """Seconds a trial for the documented pattern, two at a time."""
    from ray.train.torch import TorchTrainer
    from ray.tune.integration.ray_train import TuneReportCallback

    folder = tempfile.mkdtemp(prefix="documented-")

    def loop(config: dict[str, Any]) -> None:
        model = ray.train.torch.prepare_model(torch.nn.Linear(10, 10))
        for epoch in range(3):
            model(torch.randn(64, 10)).pow(2).mean().backward()
            train.report({"score": config["rate"] * (3 - epoch)})

    def driver(config: dict[str, Any]) -> None:
        TorchTrainer(
            loop,
            train_loop_config=config,
            scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
            run_config=RunConfig(
                name=tune.get_context().get_trial_id(),
                storage_path=folder,
                callbacks=[TuneReportCallback()],
            ),
        ).fit()

    tuner = tune.Tuner(
        tune.with_resources(driver, {"CPU": 0.01}),
        param_space={"rate": tune.loguniform(1e-4, 1e-1)},
        tune_config=tune.TuneConfig(
            metric="score", mode="min", num_samples=trials, max_concurrent_trials=2
        ),
        run_config=tune.RunConfig(name="documented", storage_path=folder, verbose=0),
    )
    clock = time.perf_counter()
    results = tuner.fit()
    assert results.num_errors == 0
    return (time.perf_counter() - clock) / trials


def throughputs(rounds: int) -> tuple[float, float]:
    """Images a second in a lane and in the bare loop: medians over rounds, taken in turns."""
    rates = [1e-3 * (1 + index / 100) for index in range(rounds)]
    text = FULL_TRIALS.replace("RATES", str(rates)).replace("TRIALS", str(rounds))
    in_lane: list[float] = []
    bare: list[float] = []

    def take_turns(event: Event) -> None:
        if isinstance(event, TrialReported):
            first, second = event.report.epochs  # the first warms up
            images = second.images_seen - first.images_seen
            in_lane.append(images / (second.seconds - first.seconds))
        if isinstance(event, TrialEnded):
            # The lane waits for its next trial meanwhile.
            bare.append(_bare_loop(1e-3))

    _run(read_study_text(text, "full"), Watcher(take_turns))
    print("in a lane, images/s:", *(f"{rate:.0f}" for rate in in_lane))
    print("bare loop, images/s:", *(f"{rate:.0f}" for rate in bare))
    return statistics.median(in_lane), statistics.median(bare)


def _bare_loop(learning_rate: float) -> float:
    """Images a second in the second of two epochs of the same training, written out plainly."""
    torch.set_num_threads(1)
    real = split(load_images("mnist5k", Preparation(size=16))).train.tensor()
    model = {
        "family": "ddpm",
        "timesteps": 200,
        "schedule": {"kind": "linear", "scaled": True},
        "network": {"kind": "unet", "channels": [16, 32, 64]},
    }
    family = build_family(model, (1, 16, 16), seed=0)
    average = build_family(model, (1, 16, 16), seed=0)
    parameters, averages = [*family.parameters()], [*average.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    generator = torch.Generator().manual_seed(0)
    clock = 0.0
    for _ in range(2):
        clock = time.perf_counter()
        for indices in torch.randperm(len(real), generator=generator).split(64):
            draws = family.draw(len(indices), generator)
            loss = family(to_float(real[indices]), *draws).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            with torch.no_grad():
                torch._foreach_lerp_(averages, parameters, 0.02)
    return len(real) / (time.perf_counter() - clock)


def _run(study_file: StudyFile, watcher: Watcher) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run_study(study_file, Storage.from_uri(folder), display=watcher)


def main() -> None:
    arguments = parser("What a lane costs.")
    arguments.add_argument("--trials", type=int, default=60, help="empty trials in lanes")
    arguments.add_argument("--peer-trials", type=int, default=6, help="trials of the peer")
    arguments.add_argument("--rounds", type=int, default=7, help="turns of lane and bare loop")
    options = arguments.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    # Four logical CPUs: the peer needs one for each worker and a little for each driver.
    ray.init(
        address="local",
        num_cpus=4,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    rows: list[Row] = []
    lane, bare = throughputs(options.rounds)
    rows.append(higher_is_better("training throughput", lane, bare, "bare Python loop", "images/s"))
    ours = ours_per_trial(options.trials)
    peer = documented_per_trial(options.peer_trials)
    rows.append(lower_is_better("starting a trial", ours, peer, "TorchTrainer per trial", "s"))
    show(rows, options.json)


if __name__ == "__main__":
    main()
