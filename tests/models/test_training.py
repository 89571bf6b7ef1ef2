from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from functools import partialmethod
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import (
    Diverged,
    Family,
    TrainingOptions,
    TrainingState,
    build_family,
    generate,
    to_float,
    train,
    train_epoch,
)
from models.augmentation import Augmentation
from models.optimizers import OPTIMIZERS


@pytest.fixture
def images(digits: Tensor) -> Tensor:
    return digits[:21]  # with batches of 8: a last batch of 5


def start(model: dict[str, Any], **options: Any) -> TrainingState:
    settings = {"batch_size": 8, "learning_rate": 1e-2, "seed": 3, **options}
    return TrainingState(build_family(model, (1, 8, 8), seed=0), TrainingOptions(**settings))


def spy(state: TrainingState, see: Callable[[Tensor, Tensor], None]) -> None:
    """Show `see` the images and the losses of each call."""
    losses = state.family.losses

    def shown(x0: Tensor, *draws: Tensor, **options: Any) -> Tensor:
        each = losses(x0, *draws, **options)
        see(x0, each)
        return each

    state.family.losses = shown  # type: ignore[method-assign]


def same(left: nn.Module, right: nn.Module) -> bool:
    pairs = zip(left.state_dict().values(), right.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


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


@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
@pytest.mark.parametrize("stop", range(1, 7))
def test_a_run_resumed_after_any_batch_is_the_run_that_never_stopped(
    model: dict[str, Any], images: Tensor, stop: int, optimizer: str
) -> None:
    whole, first = start(model, optimizer=optimizer), start(model, optimizer=optimizer)
    list(train(whole, images, epochs=2))
    list(islice(train(first, images, epochs=2), stop))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)

    second = start(model, optimizer=optimizer)
    second.load_state_dict(torch.load(file, weights_only=True))
    rest = list(train(second, images, epochs=2))
    assert len(rest) == 6 - stop
    assert second.images_seen == whole.images_seen == 42
    assert same(second.family, whole.family)
    assert same(second.ema, whole.ema)


@pytest.mark.parametrize("setting", [{"batch_size": 4}, {"seed": 9}])
def test_a_checkpoint_of_other_batches_is_refused(
    model: dict[str, Any], setting: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match=f"`{next(iter(setting))}` is"):
        start(model, **setting).load_state_dict(start(model).state_dict())


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


class Broken(Family):
    """One weight, whose loss is not finite from the third batch on."""

    def __init__(self, value: float) -> None:
        super().__init__((1, 8, 8))
        self.weight = nn.Parameter(torch.ones(()))
        self.value = value
        self.calls = 0

    def draw(
        self, count: int, generator: torch.Generator, phase: str = "model"
    ) -> tuple[Tensor, ...]:
        return ()

    def losses(self, x0: Tensor, *draws: Tensor, **options: Any) -> Tensor:
        self.calls += 1
        return (self.value if self.calls == 6 else 1.0) * self.weight * x0.flatten(1).var(1)

    def sample(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_divergence_is_raised_where_it_happens_before_it_reaches_the_weights(
    images: Tensor, value: float
) -> None:
    family = Broken(value)
    state = TrainingState(family, TrainingOptions(batch_size=8, learning_rate=0.1, seed=0))
    with pytest.raises(Diverged, match="in epoch 1, batch 2: the gradient's norm is") as caught:
        list(train(state, images, epochs=9))
    assert (caught.value.epoch, caught.value.batch) == (1, 2)
    assert family.weight.isfinite()
    with pytest.raises(Diverged):  # and there is no checkpoint after it
        state.state_dict()
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "`batch_size` is 0, but must be >= 1"),
        ({"learning_rate": 0.0}, "`learning_rate` is 0.0, but must be > 0"),
        ({"optimizer": "lion"}, "`optimizer` is 'lion', but must be one of adam, adamw, sgd"),
        ({"weight_decay": -1.0}, "`weight_decay` is -1.0, but must be >= 0"),
        ({"clip_norm": 0.0}, "`clip_norm` is 0.0, but must be > 0, or none"),
        ({"ema_half_life": -1.0}, "`ema_half_life` is -1.0, but must be >= 0"),
        ({"ema_ramp": 0.0}, "`ema_ramp` is 0.0, but must be > 0"),
        ({"warmup_images": -1}, "`warmup_images` is -1, but must be >= 0"),
        ({"decay": "step"}, "`decay` is 'step', but must be one of none, cosine"),
        ({"decay": "cosine"}, "`total_images` is 0, but must be > `warmup_images`"),
        ({"l1": -1.0}, "`l1` is -1.0, but must be >= 0"),
        ({"l2": float("inf")}, "`l2` is inf, but must be >= 0"),
        ({"precision": "half"}, "`precision` is 'half', but must be one of auto"),
    ],
)
def test_an_option_out_of_range_is_named_with_its_rule(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**{"batch_size": 8, "learning_rate": 1e-3, "seed": 0, **options})


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


def test_the_penalties_are_the_gradients_of_what_they_are_said_to_be(
    model: dict[str, Any], images: Tensor
) -> None:
    gradients = []
    for penalties in ({}, {"l1": 0.01, "l2": 0.1}):
        state = start(model, clip_norm=None, **penalties)
        weights = torch.cat([p.detach().flatten() for p in state.players["model"].parameters])
        next(train_epoch(state, images))
        gradients.append(
            torch.cat([p.grad.flatten() for p in state.players["model"].parameters])  # type: ignore[union-attr]
        )
    leaf = weights.clone().requires_grad_()
    (0.01 * leaf.abs().sum() + 0.1 * leaf.square().sum()).backward()
    assert leaf.grad is not None
    torch.testing.assert_close(gradients[1] - gradients[0], leaf.grad, rtol=1e-4, atol=1e-6)


def test_the_rate_rises_over_the_warm_up_and_falls_along_a_cosine(
    model: dict[str, Any], images: Tensor
) -> None:
    state = start(model, warmup_images=16, decay="cosine", total_images=42, learning_rate=0.1)
    rates = []
    for _ in train(state, images, epochs=2):
        rates.append(state.players["model"].optimizer.param_groups[0]["lr"])
    # before each batch 0, 8, 16, 21, 29, 37 images had been seen
    falling = [0.05 * (1 + math.cos(math.pi * seen / 26)) for seen in (0, 5, 13, 21)]
    assert rates == pytest.approx([0.1 * 1 / 17, 0.1 * 9 / 17, *falling])
    assert state.learning_rate == pytest.approx(0)


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


def test_a_compiled_family_trains_and_samples_as_ever_and_its_checkpoint_has_the_same_names(
    images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With torch's tracer in full, and no code generated, which would take a minute."""
    model = {
        "family": "ddpm",
        "timesteps": 20,
        "schedule": "cosine",
        "network": {"kind": "cnn", "channels": [4]},
    }
    graphs: list[torch.fx.GraphModule] = []

    def keep(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Callable[..., Any]:
        del inputs
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend=keep))
    plain, compiled = (start(model, compile=compile_) for compile_ in (False, True))
    torch.compiler.reset()
    for state in (plain, compiled):
        list(train(state, images[:8], epochs=2))
        assert len(graphs) == (state is compiled)  # the network's, once
    assert plain.state_dict()["family"].keys() == compiled.state_dict()["family"].keys()
    torch.testing.assert_close(compiled.family.state_dict(), plain.family.state_dict())
    samples = [
        generate(state.ema, 4, sampler="ddim", steps=3, seed=0) for state in (plain, compiled)
    ]
    assert len(graphs) == 2  # the averaged network's too
    torch.testing.assert_close(*samples, rtol=0, atol=1)
    plain.load_state_dict(compiled.state_dict())
    assert same(plain.family, compiled.family)


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
