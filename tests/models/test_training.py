from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from paths import HELPERS
from torch import Tensor, nn
from trainings import same, spy, start

import models
from models import (
    Family,
    TrainingOptions,
    TrainingState,
    build_family,
    to_float,
    train,
    train_epoch,
)
from models.augmentation import Augmentation


@pytest.fixture
def images(digits: Tensor) -> Tensor:
    return digits[:21]  # with batches of 8: a last batch of 5


def test_steps_tell_how_far_the_run_has_come(model: dict[str, Any], images: Tensor) -> None:
    steps = list(train(start(model), images, epochs=2))
    assert [(s.epoch, s.batch) for s in steps] == [(e, b) for e in range(2) for b in range(3)]
    assert [s.images_seen for s in steps] == [8, 16, 21, 29, 37, 42]
    assert [s.last for s in steps] == [False, False, True] * 2
    assert all(s.loss.ndim == 0 and not s.loss.requires_grad for s in steps)


def test_the_loss_is_the_mean_over_the_batch(model: dict[str, Any], images: Tensor) -> None:
    seen: list[Tensor] = []
    state = start(model)

    spy(state, lambda x0, losses: seen.append(losses))
    for step in train(state, images, epochs=1):
        torch.testing.assert_close(step.loss, seen[-1].mean().detach())


def test_an_epoch_shows_every_image_once_in_an_order_of_its_own(
    model: dict[str, Any], images: Tensor
) -> None:
    epochs: list[list[Tensor]] = [[], []]
    state = start(model)

    spy(state, lambda x0, losses: epochs[state.epoch].extend(x0))
    list(train(state, images, epochs=2))
    wanted = sorted(image.flatten().tolist() for image in to_float(images))
    for epoch in epochs:
        assert sorted(image.flatten().tolist() for image in epoch) == wanted
    assert not torch.equal(torch.stack(epochs[0]), torch.stack(epochs[1]))


def test_the_same_seed_gives_the_same_run_and_another_seed_another(
    model: dict[str, Any], images: Tensor
) -> None:
    runs = [start(model), start(model), start(model, seed=4)]
    for disturbance, state in enumerate(runs):
        torch.manual_seed(disturbance)
        list(train(state, images, epochs=1))
    assert same(runs[0].family, runs[1].family)
    assert not same(runs[0].family, runs[2].family)


@pytest.mark.parametrize("world", [2, 3, 7])
def test_the_workers_shares_are_the_batch_and_their_mean_gradient_is_its_gradient(
    model: dict[str, Any], images: Tensor, world: int
) -> None:
    """Each worker's run is simulated alone, all weights kept at their start."""
    shown: list[list[Tensor]] = [[] for _ in range(world)]

    def run(rank: int, world: int) -> list[tuple[Tensor, Tensor]]:
        state = start(model, optimizer="sgd", clip_norm=None, learning_rate=1e-30)
        player = state.players["model"]
        for parameter in player.parameters:  # no zeros, so that every gradient is alive
            nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(1))
        spy(state, lambda x0, losses: shown[rank].append(x0))
        result = []
        for step in train_epoch(state, images, rank=rank, world=world):
            gradients = [p.grad.flatten() for p in player.parameters if p.grad is not None]
            result.append((torch.cat(gradients), step.loss))
        return result

    whole = run(0, 1)
    shown[0].clear()
    shares = [run(rank, world) for rank in range(world)]
    assert {len(share) for share in shares} == {len(whole)}
    for batch, (gradient, loss) in enumerate(whole):
        mean = torch.stack([share[batch][0] for share in shares]).mean(0)
        torch.testing.assert_close(mean, gradient, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(torch.stack([s[batch][1] for s in shares]).mean(), loss)

    seen = [image for share in shown for x0 in share for image in x0]
    dummies = 2 if world == 7 else 0  # of the last batch's 5 images, two workers have none
    assert len(seen) == len(images) + dummies
    wanted = {tuple(image.flatten().tolist()) for image in to_float(images)}
    assert {tuple(image.flatten().tolist()) for image in seen} == wanted


def test_a_gradient_longer_than_the_limit_is_cut_to_it(
    model: dict[str, Any], images: Tensor
) -> None:
    moved = {}
    for clip_norm in (1e-3, None):
        state = start(model, optimizer="sgd", learning_rate=1.0, clip_norm=clip_norm)
        parameters = state.players["model"].parameters
        before = [p.detach().clone() for p in parameters]
        next(train_epoch(state, images))
        changes = [p.detach() - b for p, b in zip(parameters, before, strict=True)]
        moved[clip_norm] = float(nn.utils.get_total_norm(changes))
    assert moved[1e-3] == pytest.approx(1e-3, rel=1e-3)
    assert moved[None] > 2e-3


class Duel(Family):
    """Two weights that pull at each other in turns, the second every other batch."""

    def __init__(self) -> None:
        super().__init__((1, 8, 8))
        self.first, self.second = nn.Linear(1, 1), nn.Linear(1, 1)
        self.updated: list[str] = []

    def players(self) -> dict[str, tuple[nn.Module, float]]:
        return {"one": (self.first, 1.0), "two": (self.second, 0.5)}

    def phases(self, step: int) -> tuple[str, ...]:
        return ("one", "two") if step % 2 else ("one",)

    def draw(
        self, count: int, generator: torch.Generator, phase: str = "one"
    ) -> tuple[Tensor, ...]:
        return (torch.rand(count, generator=generator),)

    def losses(self, x0: Tensor, *draws: Tensor, phase: str = "one", **options: Any) -> Tensor:
        both = self.first.weight.sum() * self.second.weight.sum()
        return (both if phase == "one" else -both) * (1 + draws[0])

    def after_update(self, phase: str) -> None:
        self.updated.append(phase)

    def sample(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


def test_players_take_turns_and_each_phase_moves_its_own_player_alone(images: Tensor) -> None:
    family = Duel()
    options = TrainingOptions(
        batch_size=8, learning_rate=0.1, seed=0, optimizer="sgd", clip_norm=None, ema_half_life=0
    )
    state = TrainingState(family, options)
    before = [family.first.weight.item(), family.second.weight.item()]
    moved, phases = [], []
    for step in train(state, images, epochs=2):
        now = [family.first.weight.item(), family.second.weight.item()]
        moved.append([a != b for a, b in zip(now, before, strict=True)])
        phases.append(list(step.losses))
        before = now
    assert moved == [[True, False], [True, True]] * 3
    assert phases == [["one"], ["one", "two"]] * 3
    assert family.updated == [phase for each in phases for phase in each]
    assert state.ema.first.weight.item() == family.first.weight.item()  # type: ignore[union-attr]
    rates = [p.optimizer.param_groups[0]["lr"] for p in state.players.values()]
    assert rates == [0.1, 0.05]


def test_the_augmentation_is_drawn_for_the_batch_and_applied_to_what_is_learned_from(
    model: dict[str, Any], images: Tensor
) -> None:
    """Flipped with certainty, what is learned from is the mirror image, on whichever worker."""
    augmentation = Augmentation(flip=1.0)
    plain, flipped = start(model), start(model, augmentation=augmentation)
    list(train(plain, images.flip(-1), epochs=1))
    list(train(flipped, images, epochs=1))
    for ours, theirs in zip(plain.family.parameters(), flipped.family.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


def test_images_of_another_kind_are_refused(model: dict[str, Any], images: Tensor) -> None:
    for wrong in (images.float(), images[:, :, :4], images[:0]):
        with pytest.raises(ValueError, match=r"must be \[N, 1, 8, 8\] torch.uint8"):
            next(train(start(model), wrong, epochs=1))
    with pytest.raises(ValueError, match=r"`rank` is 2, but must be in 0 \.\. 1"):
        next(train(start(model), images, epochs=1, rank=2, world=2))


def test_with_several_workers_all_statistics_are_averaged_after_each_batch(images: Tensor) -> None:
    """Those of a player whose turn it is not too: playing against it moves them."""
    family = Duel()
    family.register_buffer("seen", torch.zeros(3))
    options = TrainingOptions(batch_size=8, learning_rate=0.1, seed=0)
    averaged: list[list[int]] = []
    state = TrainingState(family, options)
    for _ in train_epoch(
        state, images, average=lambda tensors: averaged.append([t.numel() for t in tensors])
    ):
        pass
    gradients, statistics = [1], [3]  # of a weight; its bias has no part in the loss
    turns = [[gradients], [gradients, gradients], [gradients]]
    assert averaged == [each for turn in turns for each in (*turn, statistics)]


def test_dropout_is_seeded_by_the_batch_and_leaves_the_processs_randomness_alone(
    model: dict[str, Any], images: Tensor
) -> None:
    model["network"] = {**model["network"], "dropout": 0.5}
    whole, first = start(model), start(model)
    list(train(whole, images, epochs=2))
    list(islice(train(first, images, epochs=2), 4))
    torch.manual_seed(77)
    before = torch.get_rng_state()
    second = start(model)
    second.load_state_dict(first.state_dict())
    list(train(second, images, epochs=2))
    assert same(second.family, whole.family)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_two_workers_train_the_weights_that_one_trains(
    model: dict[str, Any], digits: Tensor, tmp_path: Path
) -> None:
    images = digits[:17]  # with batches of 8: a last batch of 1, of which one worker has nothing
    torch.save((model, images.clone()), tmp_path / "inputs")
    root = Path(models.__file__).parents[1]
    workers = [
        subprocess.Popen(
            [
                sys.executable,
                str(HELPERS / "training_worker.py"),
                str(rank),
                "2",
                *(str(tmp_path / name) for name in ("meeting", "inputs", f"output{rank}")),
            ],
            env={**os.environ, "PYTHONPATH": str(root)},
        )
        for rank in range(2)
    ]
    try:
        assert [worker.wait(timeout=300) for worker in workers] == [0, 0]
    finally:
        for worker in workers:
            worker.kill()

    options = TrainingOptions(batch_size=8, learning_rate=0.1, seed=3, optimizer="sgd")
    alone = TrainingState(build_family(model, (1, 8, 8), seed=0), options)
    losses = torch.stack([step.loss for step in train(alone, images, epochs=2)])
    for rank in range(2):
        state, mean = torch.load(tmp_path / f"output{rank}", weights_only=True)
        torch.testing.assert_close(mean, losses)
        assert state["images_seen"] == alone.images_seen == 34
        for kind in ("family", "ema"):
            for name, weight in alone.state_dict()[kind].items():
                torch.testing.assert_close(state[kind][name], weight, rtol=1e-5, atol=1e-6)
