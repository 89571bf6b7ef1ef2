from __future__ import annotations

from typing import Any

import pytest
import torch
from subjects import build, morph_images

from models.ddpm import DDPM
from models.morphing import Morphing
from models.schedules import cosine
from study.diagnostics.paths import CLEAN, Frame, degrading, denoising, every, noising, pick


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noising_has_the_marginals_of_the_forward_process() -> None:
    schedule = cosine(100)
    x0 = torch.full((20_000, 1, 1, 2), 0.5)
    stops = [4, 30, 60, 99]
    frames = noising(schedule, x0, stops, seeded())
    assert [frame.t for frame in frames] == stops
    for frame in frames:
        alpha_bar = float(schedule.alpha_bars[frame.t])
        assert float(frame.x.mean()) == pytest.approx(alpha_bar**0.5 * 0.5, abs=0.02)
        assert float(frame.x.var()) == pytest.approx(1 - alpha_bar, rel=0.03)
    # One walk, not separate draws: neighbouring frames share their noise.
    early, later = (frames[i].x.flatten() for i in (0, 1))
    expected = (schedule.alpha_bars[30] / schedule.alpha_bars[4]).sqrt() * early.std() / later.std()
    correlation = torch.corrcoef(torch.stack([early, later]))[0, 1]
    assert float(correlation) == pytest.approx(float(expected), abs=0.02)


def test_degrading_ends_in_images_of_the_other_set() -> None:
    family = build("morphing")
    assert isinstance(family, Morphing)
    (first, last) = degrading(family, torch.zeros(3, 1, 8, 8), [0, 39], seeded())
    assert float(first.x.abs().max()) < 0.1
    targets = morph_images().float() / 127.5 - 1
    for image in last.x:
        assert float((targets - image).flatten(1).norm(dim=1).min()) < 0.1


@pytest.mark.parametrize(
    ("kind", "sampler", "options"),
    [
        ("ddpm", "ddim", {}),
        ("ddpm", "ancestral", {"spacing": "leading"}),
        ("morphing", "improved", {"start": {"kind": "noise", "level": 0.1}}),
        ("morphing", "one_shot", {}),
    ],
)
def test_a_way_ends_where_the_family_samples(
    kind: str, sampler: str, options: dict[str, Any]
) -> None:
    family = build(kind)
    assert isinstance(family, DDPM | Morphing)
    frames = list(denoising(family, 2, seeded(), sampler=sampler, steps=4, options=options))
    *_, last = family.sample(2, seeded(), sampler=sampler, steps=4, **options)
    assert torch.equal(frames[-1].x, last.x)
    assert frames[-1].t == CLEAN
    times = [frame.t for frame in frames]
    assert times == sorted(times, reverse=True)
    assert len(frames) == (2 if sampler == "one_shot" else 5)


def test_the_nearest_frames_are_picked_once_for_each_stop() -> None:
    frames = (Frame(t, torch.tensor(t)) for t in (39, 29, 19, 9, CLEAN))
    assert [frame.t for frame in pick(frames, [20, 0, 38, CLEAN])] == [19, CLEAN, 39, CLEAN]


def test_every_fifth_ends_at_the_last_timestep() -> None:
    assert every(1000, 200) == [199, 399, 599, 799, 999]
    assert every(7, 1) == [0, 1, 2, 3, 4, 5, 6]
