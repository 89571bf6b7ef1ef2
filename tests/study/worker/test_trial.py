from __future__ import annotations

import math
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import ROOT
from specs import plain, study

from models.training import Step
from study.driver.files import checkpoints
from study.driver.messages import Assignment, Report
from study.results.reader import read_rows
from study.results.storage import Storage
from study.results.tables import ReportRow, TrialRow
from study.spec import Study
from study.worker.checkpoints import read_checkpoint
from study.worker.team import Team
from study.worker.trial import TrialRun
from study.worker.workbench import Workbench


def make_bench(folder: Path) -> Workbench:
    return Workbench(Storage.from_uri(str(folder)), torch.device("cpu"))


def start(
    bench: Workbench, number: int = 0, seed: int = 7, checkpoint: str | None = None, **sections: Any
) -> TrialRun:
    spec = study(**sections)
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


@pytest.mark.slow
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


def test_a_worker_deletes_no_checkpoint(tmp_path: Path) -> None:
    # Only the driver knows which of them the ledger names.
    trial = start(make_bench(tmp_path), train={"epochs": 4})
    reports = run_out(trial)
    trial.close()
    names = [report.checkpoint.name for report in reports if report.checkpoint is not None]
    assert checkpoints(trial.bench.storage, "small") == {0: names}
    assert len(names) == 4


def test_a_checkpoint_holds_plain_values_only(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    report = run_out(start(bench))[-1]
    assert report.checkpoint is not None
    state = read_checkpoint(bench.storage, report.checkpoint.name, "cpu")  # weights_only
    assert state["training"]["epoch"] == 2


def test_the_workbench_loads_images_and_prepares_the_scorer_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.worker import workbench

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


GAN = {
    "family": "gan",
    "latent": 8,
    "generator": {"kind": "dcgan", "channels": [8]},
    "discriminator": {"kind": "dcgan", "channels": [8], "norm": "layer"},
    "loss": "wasserstein",
    "penalty": "gradient",
    "critic_steps": 2,
}
MORPHING = {
    "family": "morphing",
    "timesteps": 20,
    "schedule": {"kind": "cosine"},
    "network": {"kind": "unet", "channels": [8, 16]},
    "towards": {"dataset": "photo_patches"},
}


def of_model(model: dict[str, Any], **sections: Any) -> dict[str, Any]:
    """A plain study of another model, at the size of the digits."""
    return {**plain(**sections), "model": model}


def start_plain(bench: Workbench, tree: dict[str, Any], checkpoint: str | None = None) -> TrialRun:
    spec = Study.model_validate(tree)
    return TrialRun(Assignment("small", 0, 7, spec, checkpoint), bench, Team())


@pytest.mark.parametrize("model", [GAN, MORPHING], ids=["gan", "morphing"])
def test_other_families_run_stop_and_go_on_alike(tmp_path: Path, model: dict[str, Any]) -> None:
    tree = of_model(model, train={"epochs": 2})
    whole = start_plain(make_bench(tmp_path / "a"), tree)
    expected = run_out(whole)
    assert expected[-1].outcome == "done"
    assert all(report.score for report in expected)
    for epoch in (epoch for report in expected for epoch in report.epochs):
        assert math.isfinite(epoch.loss)
        assert (epoch.discriminator_loss is not None) == (model is GAN)
        assert (epoch.validation_loss is not None) == (model is MORPHING)

    bench = make_bench(tmp_path / "b")
    seen: list[Step] = []
    report = start_plain(bench, tree).advance(lambda: len(seen) > 2, seen.append)
    assert report.outcome == "interrupted"
    assert report.checkpoint is not None
    second = start_plain(bench, tree, report.checkpoint.name)
    assert numbers(run_out(second))[-1][3:] == numbers(expected)[-1][3:]
    mine, theirs = weights(second), weights(whole)
    assert all(torch.equal(mine[name], theirs[name]) for name in theirs)


def test_a_trial_tells_its_validation_loss_and_rate_by_epoch(tmp_path: Path) -> None:
    train = {"epochs": 3, "decay": "cosine", "validation_images": 100}
    reports = run_out(start(make_bench(tmp_path), train=train))
    epochs = [epoch for report in reports for epoch in report.epochs]
    losses = [epoch.validation_loss for epoch in epochs]
    assert losses == sorted(losses, reverse=True)  # at the start of training it falls
    rates = [epoch.learning_rate for epoch in epochs]
    assert rates == pytest.approx([0.003 * 0.75, 0.003 * 0.25, 0.0], rel=1e-6)

    none = run_out(start(make_bench(tmp_path), train={"validation_images": 0}))
    assert none[0].epochs[0].validation_loss is None


def test_a_trial_stops_early_once_its_validation_loss_no_longer_falls(tmp_path: Path) -> None:
    stopping = {"patience": 2, "min_delta": 100.0}  # nothing is better by so much
    bench = make_bench(tmp_path)
    settings = {"epochs": 9, "early_stopping": stopping}
    reports = run_out(start(bench, train=settings, score={"every": 4}))
    (report,) = reports
    assert (report.outcome, report.epoch) == ("done", 3)  # the first is better than nothing
    assert report.reason.startswith("stopped early at epoch 3")
    assert report.score is not None

    resumed = start(bench, train=settings, score={"every": 1})
    first = resumed.advance(never, ignore)
    assert first.checkpoint is not None
    again = start(bench, checkpoint=first.checkpoint.name, train=settings, score={"every": 1})
    assert [r.epoch for r in run_out(again)] == [2, 3]  # the wait was kept with the weights


@pytest.mark.slow
def test_against_everything_all_folds_are_measured_alike(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)

    def scored(against: str, fold: int) -> tuple[str, str, str]:
        data = {"split": {"kind": "k_fold", "folds": 3, "fold": fold}}
        score = {"metric": "fd_vae", "against": against}
        report = run_out(start(bench, data=data, score=score, train={"epochs": 1}))[-1]
        assert report.score is not None
        return report.score.embedder, report.score.reference, report.data_digest

    first, second = scored("everything", 0), scored("everything", 1)
    assert first[:2] == second[:2]
    assert first[2] != second[2]
    held_out = scored("held_out", 0), scored("held_out", 1)
    assert held_out[0][1] != held_out[1][1]


def test_the_options_of_the_sampler_reach_it_and_its_score(tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    texts, values = [], []
    for sampler in ("ddim", {"kind": "ddim", "eta": 0.5}, "dpm_solver"):
        report = run_out(start(bench, train={"epochs": 1}, score={"sampler": sampler}))[-1]
        assert report.score is not None
        texts.append(report.score.sampler)
        values.append(report.score.value)
    assert texts == ["ddim", "ddim(eta=0.5)", "dpm_solver"]
    assert len(set(values)) == 3


def test_a_compiled_trial_leaves_no_compiled_code_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next trial compiles as much: with what is left over, it would come to torch's limit."""
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., Any]:
        del inputs
        graphs.append(graph)
        return graph.forward

    compile_ = partialmethod(torch.nn.Module.compile, backend=keep)  # tracing alone, for speed
    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    torch.compiler.reset()
    bench, counts = make_bench(tmp_path), [0]
    for options in ({}, {"compile": True}, {"compile": True}):
        train = {"epochs": 1, "batch_size": 2048, **options}
        trial = start(bench, train=train, model={"network": {"kind": "cnn", "channels": [4]}})
        run_out(trial)
        trial.close()
        counts.append(len(graphs))
    assert counts[1] == 0 < counts[2]
    assert counts[3] == 2 * counts[2]


def test_a_trial_of_an_older_version_is_trained_again_from_its_row(tmp_path: Path) -> None:
    """To the same figures, but for what another processor rounds otherwise."""
    old = Storage.from_uri(str(ROOT / "tests" / "ledgers" / "0.1.0"))
    (row,) = read_rows(old, TrialRow, "early", trial=0)
    epochs = read_rows(old, ReportRow, "early", trial=0)
    assignment = Assignment("early", row.trial, row.seed, row.study)
    trial = TrialRun(assignment, make_bench(tmp_path), Team())
    for before in epochs:
        report = trial.advance(never, ignore)
        assert report.epoch == before.epoch
        assert report.images_seen == before.images_seen
        assert report.epochs[0].loss == pytest.approx(before.loss, rel=1e-4)
        assert report.values == pytest.approx((before.value,), rel=1e-3)
    assert report.outcome == "done"
    assert report.data_digest == row.data_digest


TINY_GAN = {
    "family": "gan",
    "latent": 8,
    "generator": {"kind": "dcgan", "channels": [8]},
    "discriminator": {"kind": "dcgan", "channels": [8]},
}


@pytest.mark.parametrize(
    ("train", "expected"),
    [
        # So strong a penalty draws the weights to 0: every image is the same grey.
        ({"learning_rate": 0.05, "weight_decay": 1.0}, True),
        ({"learning_rate": 0.002}, False),
    ],
)
def test_a_generator_that_has_collapsed_is_marked_however_sure_its_score_is(
    tmp_path: Path, train: dict[str, Any], expected: bool
) -> None:
    spec = Study.model_validate(
        {**plain(train={"epochs": 2, "batch_size": 64, **train}), "model": TINY_GAN}
    )
    bench = make_bench(tmp_path)
    last = run_out(TrialRun(Assignment("small", 0, 7, spec), bench, Team()))[-1]
    assert last.outcome == "done"
    assert last.score is not None
    assert last.score.collapsed is expected
    assert last.collapsed is expected
    if expected:
        assert last.score.spread is not None
        assert last.score.spread < 0.001 * last.score.value  # as sure as any
