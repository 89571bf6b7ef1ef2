from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from restorers import SHAPE, Constant, Imperfect, images, morph_set, seeded
from torch import Tensor

from models.images import to_float
from models.morphing import Morphing
from models.predictions import Prediction
from models.samplers import MORPH_SAMPLERS, ddim, improved, naive, one_shot, respaced
from models.schedules import SCHEDULES, Schedule, cosine


def run(sampler: Any, model: Morphing, x_T: Tensor, z: Tensor, **options: Any) -> Tensor:
    t = options.pop("t", model.schedule.timesteps - 1)
    *_, last = sampler(model, x_T, z=z, t=t, generator=seeded(), **options)
    result: Tensor = last.x
    return result


@pytest.mark.parametrize("steps", [1, 7, 50])
@pytest.mark.parametrize("sampler", sorted(MORPH_SAMPLERS))
@pytest.mark.parametrize("kind", ["cosine", "linear"])
@pytest.mark.parametrize("t", [20, 49])
def test_a_perfect_restorer_gives_back_the_image(
    sampler: str, steps: int, kind: str, t: int
) -> None:
    x, z = images(0), images(1)
    model = Morphing(Constant(x), SCHEDULES[kind](50), SHAPE, morph_set())
    x_t = model.degrade(x, z, torch.full((4,), t))
    got = run(MORPH_SAMPLERS[sampler], model, x_t, z, t=t, steps=min(steps, t + 1))
    torch.testing.assert_close(got, x, rtol=0, atol=2e-6)


def test_from_the_morph_image_itself_a_perfect_restorer_gives_back_the_image() -> None:
    """The schedule must leave nothing of the image at T-1: then z is the degraded image."""
    x, z = images(0), images(1)
    model = Morphing(Constant(x), cosine(1000), SHAPE, morph_set())
    torch.testing.assert_close(run(improved, model, z, z, steps=20), x, rtol=0, atol=1e-4)


def brute_force(model: Morphing, z: Tensor, visited: list[int], better: bool) -> Tensor:
    """Algorithms 1 and 2 of Bansal et al. 2022, as they are printed, for timesteps that fall."""
    x = z
    for t, after in zip(visited, [*visited[1:], None], strict=True):
        restored = model.restore(x, torch.full((len(x),), t)).detach()
        now = model.degrade(restored, z, torch.full((len(x),), t))
        following = (
            restored if after is None else model.degrade(restored, z, torch.full((len(x),), after))
        )
        x = x - now + following if better else following
    return x


@pytest.mark.parametrize("steps", [1, 6, 30])
def test_the_samplers_are_the_papers_algorithms(steps: int) -> None:
    model = Morphing(Imperfect(), cosine(30), SHAPE, morph_set())
    z = images(1)
    visited = respaced(30, steps, "trailing")
    for sampler, better in ((naive, False), (improved, True)):
        got = run(sampler, model, z, z, steps=steps)
        torch.testing.assert_close(got, brute_force(model, z, visited, better))
    once = model.restore(z, torch.full((4,), 29)).detach()
    torch.testing.assert_close(run(one_shot, model, z, z, steps=steps), once)


def test_with_an_imperfect_restorer_the_algorithms_differ() -> None:
    model = Morphing(Imperfect(), cosine(30), SHAPE, morph_set())
    z = images(1)
    results = [run(sampler, model, z, z, steps=30) for sampler in (naive, improved, one_shot)]
    for left, right in ((0, 1), (0, 2), (1, 2)):
        assert (results[left] - results[right]).abs().max() > 0.05


def test_an_error_in_the_restored_image_counts_less_in_the_improved_algorithm() -> None:
    """Bansal et al. 2022, section 3.3: of an error e at t, only D(e, t-1) - D(e, t) remains."""
    x, z, offset = images(0), images(1), torch.full(SHAPE, 0.1)

    class WrongOnce(Constant):
        def forward(self, z_t: Tensor, t: Tensor) -> Tensor:
            return self.x + torch.where(t.view(-1, 1, 1, 1) == 25, offset, 0)

    model = Morphing(WrongOnce(x), cosine(50), SHAPE, morph_set())
    x_T = model.degrade(x, z, torch.full((4,), 49))
    left = run(improved, model, x_T, z, steps=50) - x
    bars = model.schedule.alpha_bars
    expected = 0.1 * float(bars[24].sqrt() - bars[25].sqrt())
    torch.testing.assert_close(left, torch.full_like(left, expected), rtol=0, atol=2e-6)


def test_the_morph_image_is_not_estimated_anew_which_would_be_ddim() -> None:
    model = Morphing(Imperfect(), cosine(30), SHAPE, morph_set())
    z = images(1)

    class AsDenoiser:
        """The morph image in the place of the noise, solved for from z_t and the restored x."""

        schedule: Schedule = model.schedule

        def predict(self, x_t: Tensor, t: Tensor) -> Prediction:
            bar = self.schedule.alpha_bars[t].view(-1, 1, 1, 1).float()
            x0 = model.restore(x_t, t)
            return Prediction(x0, (x_t - bar.sqrt() * x0) / (1 - bar).sqrt())

    *_, collapsed = ddim(AsDenoiser(), z, steps=30, generator=seeded(), clip_x0=False)
    for sampler in (naive, improved):
        ours = run(sampler, model, z, z, steps=30)
        assert (ours - collapsed.x).abs().max() > 0.05

    x = z  # algorithm 2 with z estimated anew at each step is DDIM indeed
    bars = [*model.schedule.alpha_bars.tolist()]
    for t in reversed(range(30)):
        restored = model.restore(x, torch.full((4,), t)).detach()
        again = (x - math.sqrt(bars[t]) * restored) / math.sqrt(1 - bars[t])
        bar = bars[t - 1] if t else 1.0
        now = math.sqrt(bars[t]) * restored + math.sqrt(1 - bars[t]) * again
        x = x - now + math.sqrt(bar) * restored + math.sqrt(1 - bar) * again
    torch.testing.assert_close(x, collapsed.x, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sampler", sorted(MORPH_SAMPLERS))
def test_a_sampler_begins_with_morph_images_by_default(sampler: str) -> None:
    model = Morphing(Imperfect(), cosine(20), SHAPE, morph_set())
    z = to_float(morph_set()[:3])
    plain = MORPH_SAMPLERS[sampler](model, z, steps=5, generator=seeded())
    explicit = MORPH_SAMPLERS[sampler](model, z, steps=5, generator=seeded(), z=z, t=19)
    for left, right in zip(plain, explicit, strict=True):
        assert left.t == right.t
        assert torch.equal(left.x, right.x)
