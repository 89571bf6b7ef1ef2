from __future__ import annotations

from typing import Any

import pytest
import torch
from specs import study

from study.check import measurement
from study.check.costs import Limits, TrainingCost
from study.check.measurement import (
    CHUNK,
    MOST_DIMENSIONS,
    MOST_IMAGES,
    device_of,
    measure_sampling,
    measure_scoring,
    measure_training,
)
from study.scoring.measures import Comparison, Value
from study.scoring.measures import measure as take
from study.spec import Study, UserError

PLENTY = Limits(seconds=1.0, memory=1e9)
GAN = {
    "family": "gan",
    "latent": 8,
    "critic_steps": 3,
    "generator": {"kind": "dcgan", "channels": [8]},
    "discriminator": {"kind": "dcgan", "channels": [8]},
}


def gan() -> Study:
    return Study.model_validate({**study().model_dump(mode="json"), "model": GAN})


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The batches that are tried; each image takes 10 ms, and a batch 0.1 s besides."""
    tried: list[int] = []

    def seconds(family: Any, options: Any, size: int, period: int, repeats: int) -> float:
        tried.append(size)
        return 0.1 + 0.01 * size

    monkeypatch.setattr(measurement, "_batch_seconds", seconds)
    return tried


def measured(spec: Study, batches: tuple[int, int], limits: Limits) -> TrainingCost:
    return [*measure_training(spec, batches, limits)][-1]


def test_both_ends_of_the_batch_size_are_tried(sizes: list[int]) -> None:
    cost = measured(study(), (16, 64), PLENTY)
    assert sizes == [2, 8, 16, 64]
    assert cost.batches_tried == (16, 64)
    assert cost.batch.at(32) == pytest.approx(0.42)


def test_a_batch_of_10000_is_reckoned_from_small_ones(sizes: list[int]) -> None:
    cost = measured(study(), (10_000, 10_000), PLENTY)
    assert sizes == [2, 8, 32]  # 128 images would take 1.4 s
    assert cost.batches_tried == (8, 32)
    assert cost.batch.at(10_000) == pytest.approx(100.1)


def test_memory_is_foreseen_from_the_activations_of_two_images(sizes: list[int]) -> None:
    image = measured(study(), (2, 2), PLENTY).activation_bytes
    assert image > 64 * 4 * 8  # more than one feature map of 8 channels
    sizes.clear()
    room = measured(study(), (2, 2), PLENTY).memory(40)
    sizes.clear()
    measured(study(), (4, 64), Limits(9.0, room))
    assert sizes == [2, 4, 16]  # and not 64
    with pytest.raises(MemoryError):
        measured(study(), (4, 64), Limits(9.0, 1000.0))


def test_a_batch_without_memory_ends_the_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(family: Any, options: Any, size: int, *rest: int) -> float:
        if size > 2:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't")
        return 0.02

    monkeypatch.setattr(measurement, "_batch_seconds", seconds)
    assert measured(study(), (16, 64), PLENTY).batches_tried == (2,)


def test_nothing_of_the_process_is_changed() -> None:
    threads = torch.get_num_threads()
    cost = measured(study(), (2, 4), Limits(0.1, 1e9, threads=2))
    assert torch.get_num_threads() == threads
    assert cost.parameters > 0
    assert cost.batch.at(4) > 0


def test_a_gan_is_timed_until_all_its_players_had_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    phases: list[str] = []
    losses = type(measurement.build_model(gan(), 0, None)).losses

    def noting(self: Any, *args: Any, phase: str = "model", **rest: Any) -> Any:
        phases.append(phase)
        return losses(self, *args, phase=phase, **rest)

    monkeypatch.setattr(type(measurement.build_model(gan(), 0, None)), "losses", noting)
    cost = measured(gan(), (4, 4), PLENTY)
    assert not cost.validates
    assert {*phases} == {"discriminator", "generator"}


def test_a_model_that_the_device_cannot_train_is_a_users_mistake() -> None:
    with pytest.raises(UserError, match="'tf32', which a cpu does not have"):
        measured(study(train={"precision": "tf32"}), (4, 4), PLENTY)


def test_sampling_is_tried_on_few_images_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[int, int]] = []

    def generate(family: Any, count: int, *, steps: int, **rest: Any) -> torch.Tensor:
        tried.append((count, steps))
        return torch.zeros(count)

    monkeypatch.setattr(measurement, "generate", generate)
    spec = study(score={"samples": 1_000_000, "steps": 50})
    assert [*measure_sampling(spec, PLENTY)]
    assert max(count for count, _ in tried) == CHUNK
    assert max(steps for _, steps in tried) <= measurement.STEPS


def test_a_sampler_has_a_start_and_steps() -> None:
    *_, cost = measure_sampling(study(score={"steps": 5}), PLENTY)
    assert cost.step > 0
    assert cost.start >= 0
    *_, cost = measure_sampling(gan(), PLENTY)
    assert (cost.start, cost.step > 0) == (0.0, True)


@pytest.fixture
def comparisons(monkeypatch: pytest.MonkeyPatch) -> list[Comparison]:
    """What is measured, as features."""
    made: list[Comparison] = []

    def measure(comparison: Comparison, names: list[str]) -> dict[str, Value]:
        made.append(comparison)
        return take(comparison, names)

    monkeypatch.setattr(measurement, "measure", measure)
    return made


@pytest.mark.parametrize("metric", ["fd_pixels", "fd_vae", "kid_vae", "fd_lenet"])
def test_a_million_images_and_wide_features_are_reckoned_from_few(
    comparisons: list[Comparison], metric: str
) -> None:
    also = ["recall", "memorisation", "modes"]
    spec = study(data={"size": 40}, score={"metric": metric, "samples": 1_000_000, "also": also})
    *_, cost = measure_scoring(spec, spec.score, PLENTY)
    assert len(comparisons) == 4
    assert all(len(one.generated) <= MOST_IMAGES for one in comparisons)
    assert all(one.generated.shape[1] <= MOST_DIMENSIONS for one in comparisons)
    assert cost.measures > 0
    assert (cost.learning > 0) == (metric != "fd_pixels")


def test_an_embedder_of_ones_own_is_measured(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flat_embedder.py").write_text(
        "def flat():\n    return lambda images: images.flatten(1).float()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    spec = study(score={"metric": "fd", "embedder": "flat_embedder:flat"})
    *_, cost = measure_scoring(spec, spec.score, PLENTY)
    assert cost.embedding > 0
    assert cost.learning == 0


@pytest.mark.parametrize(("gpu", "there", "device"), [(0, 1, "cpu"), (1, 1, "cuda"), (1, 0, "cpu")])
def test_it_is_measured_where_workers_compute(
    monkeypatch: pytest.MonkeyPatch, gpu: int, there: int, device: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bool(there))
    assert device_of(Limits(1.0, 1.0, gpu=bool(gpu))) == torch.device(device)
