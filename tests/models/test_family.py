from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Generator, Tensor, nn

from models.family import Augment, Family, State, as_they_are


class Shift(Family):
    """Learns a shift by one network: no more than what a family must have."""

    default_sampler = "once"

    def __init__(self) -> None:
        super().__init__((1, 2, 2))
        self.shift = nn.Parameter(torch.zeros(1))

    def draw(self, count: int, generator: Generator, phase: str = "model") -> tuple[Tensor, ...]:
        return (torch.rand(count, generator=generator),)

    def losses(
        self, x0: Tensor, *draws: Tensor, phase: str = "model", augment: Augment = as_they_are
    ) -> Tensor:
        error = (augment(x0) - self.shift).square().mean(dim=(1, 2, 3))
        return error * draws[0] if phase == "model" else -error

    def sample(
        self, count: int, generator: Generator, *, sampler: str, steps: int, **options: Any
    ) -> Iterator[State]:
        x = self.shift.detach().expand(count, *self.image_shape)
        yield State(0, x, x)


def test_a_family_has_one_player_whose_turn_it_always_is() -> None:
    family = Shift()
    (phase,) = family.players()
    player, rate = family.players()[phase]
    assert (player, rate) == (family, 1.0)
    assert all(family.phases(step) == (phase,) for step in (0, 1, 7))
    assert family.validates


def test_it_is_called_as_its_losses_are() -> None:
    family, x0 = Shift(), torch.ones(3, 1, 2, 2)
    draws = family.draw(3, Generator().manual_seed(0))
    assert torch.equal(family(x0, *draws), draws[0])
    assert torch.equal(family(x0, *draws, phase="other"), -torch.ones(3))


def test_images_are_learned_from_as_they_are_unless_augmented() -> None:
    x = torch.randn(2, 1, 2, 2)
    assert as_they_are(x) is x
    family, draws = Shift(), (torch.ones(2),)
    assert torch.equal(family.losses(x, *draws, augment=torch.zeros_like), torch.zeros(2))


def test_nothing_moves_after_an_update_and_its_device_is_the_weights() -> None:
    family = Shift()
    family.after_update("model")
    assert family.shift.tolist() == [0]
    assert family.device == torch.device("cpu")
    assert family.to("meta").device.type == "meta"


@pytest.mark.parametrize("name", ["draw", "losses", "sample"])
def test_a_family_without_a_part_of_the_contract_cannot_be_made(name: str) -> None:
    partial = type("Partial", (Shift,), {name: getattr(Family, name)})
    with pytest.raises(TypeError, match=rf"abstract method '?{name}"):
        partial()
