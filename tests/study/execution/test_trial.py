from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from specs import study

from models.training import Step
from study.execution.checkpoints import read_checkpoint
from study.execution.messages import Assignment, Report
from study.execution.team import Team
from study.execution.trial import TrialRun
from study.execution.workbench import Workbench
from study.results.storage import Storage


def make_bench(folder: Path) -> Workbench:
    return Workbench(Storage.from_uri(str(folder)), torch.device("cpu"))


def start(
    bench: Workbench, number: int = 0, seed: int = 7, checkpoint: str | None = None, **sections: Any
) -> TrialRun:
    spec = study(**sections).model_dump(mode="json")
    return TrialRun(Assignment("small", number, seed, spec, checkpoint), bench, Team())


def never() -> bool:
    return False


def ignore(step: Step) -> None:
    pass


def run_out(trial: TrialRun) -> list[Report]:
    reports = [trial.advance(never, ignore)]
    while reports[-1].outcome == "running":
        reports.append(trial.advance(never, ignore))
    return reports


def numbers(reports: list[Report]) -> list[Any]:
    """Everything in the reports that must not depend on when or where a trial ran."""
    return [
        (
            report.outcome,
            report.epoch,
            report.images_seen,
            [epoch.loss for epoch in report.epochs],
            report.score and report.score.value,
            report.score and (report.score.embedder, report.score.reference),
        )
        for report in reports
    ]


def weights(trial: TrialRun) -> dict[str, Any]:
    return trial.state.state_dict()["ema"] | trial.family.state_dict()


def test_a_trial_reports_each_epoch_and_ends_with_a_score(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    trial = start(bench, train={"epochs": 3})
    reports = run_out(trial)
    count = len(bench.images(trial.spec.data).on_device)
    assert [report.outcome for report in reports] == ["running", "running", "done"]
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.images_seen for report in reports] == [count, 2 * count, 3 * count]
    assert all(report.score and math.isfinite(report.score.value) for report in reports)
    losses = [epoch.loss for report in reports for epoch in report.epochs]
    assert losses[0] > losses[1] > losses[2]
    samples = reports[-1].samples
    assert samples is not None
    assert (tmp_path / samples.name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_score_every_skips_scores_but_no_epoch_and_ends_with_one(tmp_path: Path) -> None:
    reports = run_out(start(make_bench(tmp_path), train={"epochs": 5}, score={"every": 2}))
    assert [[epoch.epoch for epoch in report.epochs] for report in reports] == [[1, 2], [3, 4], [5]]
    assert [report.score.epoch for report in reports if report.score] == [2, 4, 5]


def test_bit_for_bit_the_same_on_a_fresh_lane_and_on_one_that_ran_others(tmp_path: Path) -> None:
    fresh = start(make_bench(tmp_path / "fresh"))
    expected = numbers(run_out(fresh))
    bench = make_bench(tmp_path / "used")
    other = {"network": {"kind": "unet", "channels": [4, 8]}, "timesteps": 25}
    run_out(start(bench, number=0, seed=1, model=other, train={"learning_rate": 0.01}))
    torch.manual_seed(123)  # what another trial may have left behind
    torch.rand(5)
    interrupted = start(bench, number=1, seed=3)
    interrupted.advance(lambda: True, ignore)
    used = start(bench, number=2)
    assert numbers(run_out(used)) == expected
    mine, theirs = weights(used), weights(fresh)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("batch", [0, 2, 5])
def test_a_trial_stopped_after_any_batch_goes_on_to_the_same_end(
    tmp_path: Path, batch: int
) -> None:
    bench = make_bench(tmp_path / "a")
    whole = start(bench)
    expected = run_out(whole)
    seen: list[Step] = []
    bench = make_bench(tmp_path / "b")
    first = start(bench)
    report = first.advance(lambda: len(seen) > batch, seen.append)
    assert report.outcome == ("running" if len(seen) == 6 else "interrupted")
    if report.outcome == "interrupted":
        assert len(seen) == batch + 1  # it stopped at the next batch
    assert report.checkpoint is not None
    second = start(bench, checkpoint=report.checkpoint.name)
    reports = run_out(second)
    kept = [report] if report.score else []
    assert [numbers([r])[0][1:] for r in [*kept, *reports]] == [
        numbers([r])[0][1:] for r in expected
    ]
    mine, theirs = weights(second), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    assert reports[-1].seconds >= report.seconds


def test_an_interrupt_before_the_first_batch_trains_nothing(tmp_path: Path) -> None:
    steps: list[Step] = []
    report = start(make_bench(tmp_path)).advance(lambda: True, steps.append)
    assert report.outcome == "interrupted"
    assert steps == []


def test_a_loss_that_is_not_finite_fails_the_trial_as_diverged(tmp_path: Path) -> None:
    trial = start(
        make_bench(tmp_path), train={"optimizer": "sgd", "learning_rate": 10.0, "clip_norm": None}
    )
    with torch.no_grad():
        next(iter(trial.family.parameters())).fill_(math.inf)
    report = trial.advance(never, ignore)
    assert (report.outcome, report.reason) == ("failed", "diverged")
    assert report.score is None
    assert report.checkpoint is None


def test_the_checkpoint_before_stays_until_the_next_report_or_the_end(tmp_path: Path) -> None:
    trial = start(make_bench(tmp_path), train={"epochs": 4})
    run_out(trial)

    def kept() -> list[str]:
        return sorted(path.name for path in (tmp_path / "small" / "checkpoints").iterdir())

    assert kept() == ["trial-0000-epoch-00003.pt", "trial-0000-epoch-00004.pt"]
    trial.close()
    assert kept() == ["trial-0000-epoch-00004.pt"]


def test_a_checkpoint_holds_plain_values_only(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    report = run_out(start(bench))[-1]
    assert report.checkpoint is not None
    state = read_checkpoint(bench.storage, report.checkpoint.name, "cpu")  # weights_only
    assert state["training"]["epoch"] == 2


def test_the_workbench_loads_images_and_prepares_the_scorer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.execution import workbench

    calls: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        original: Callable[..., Any] = getattr(workbench, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        return call

    for name in ("load_images", "prepare_scorer"):
        monkeypatch.setattr(workbench, name, counted(name))
    bench = make_bench(tmp_path)
    for number in range(3):
        run_out(start(bench, number=number, train={"epochs": 1}))
    assert sorted(calls) == ["load_images", "prepare_scorer"]
