from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from subjects import SAMPLERS, build

from models.images import to_uint8
from study.diagnostics.paths import PREDICTED
from study.diagnostics.side_by_side import (
    REAL,
    SAMPLES,
    STATES,
    DenoisingPath,
    Exhibit,
    denoising_path,
    paths_figure,
    samples_figure,
    scores_figure,
)


def path_of(kind: str) -> DenoisingPath | None:
    sampler, steps = SAMPLERS[kind]
    generator = torch.Generator().manual_seed(0)
    return denoising_path(build(kind), generator, sampler=sampler, steps=steps, options={})


def exhibit(
    number: int = 0,
    shape: tuple[int, int, int] = (1, 8, 8),
    scores: Mapping[int, float] | None = None,
    **changes: Any,
) -> Exhibit:
    def images(count: int) -> torch.Tensor:
        return torch.full((count, *shape), 10 * number, dtype=torch.uint8)

    values: dict[str, Any] = {
        "label": f"trial {number}",
        "differs": "kind cosine",
        "score": "fd 3",
        "sampling": "ddim, 5 steps",
        "real": images(REAL),
        "samples": images(SAMPLES),
        "path": DenoisingPath([images(5)] * (STATES + 1), [255 - images(5)] * (STATES + 1)),
        "timesteps": 40,
        "metric": "fd",
        "scored": 400,
        "scores": {1: 3.0} if scores is None else scores,
        "group": 0,
    }
    return Exhibit(**{**values, **changes})


@pytest.mark.parametrize("kind", ["ddpm", "morphing"])
def test_a_path_ends_in_what_the_family_samples(kind: str) -> None:
    path = path_of(kind)
    assert path is not None
    assert len(path.states) == len(path.predicted) == STATES + 1
    shapes = {(s.dtype, tuple(s.shape)) for s in (*path.states, *path.predicted)}
    assert shapes == {(torch.uint8, (5, 1, 8, 8))}
    sampler, steps = SAMPLERS[kind]
    generator = torch.Generator().manual_seed(0)
    *_, last = build(kind).sample(5, generator, sampler=sampler, steps=steps)
    assert torch.equal(path.states[-1], to_uint8(last.x))
    assert torch.equal(path.predicted[-1], path.states[-1])
    assert not torch.equal(path.states[0], path.states[-1])
    assert not torch.equal(path.states[0], path.predicted[0])


def test_a_gan_has_no_path() -> None:
    assert path_of("gan") is None
    assert paths_figure([exhibit(path=None, timesteps=None)]) is None
    both = paths_figure([exhibit(0), exhibit(1, path=None, timesteps=None)])
    assert both is not None
    assert len(both.axes[0].get_yticks()) == 10
    assert "trial 1: no such paths" in both.get_suptitle()


def test_each_trial_has_a_column_with_its_real_images_above() -> None:
    exhibits = [exhibit(number, group=number) for number in range(8)]
    figure = samples_figure(exhibits, "not comparable")
    titled = [panel for panel in figure.axes if panel.get_title()]
    assert [panel.get_title() for panel in titled] == [
        f"trial {number}\nkind cosine\nfd 3" for number in range(8)
    ]
    shown = [np.asarray(panel.images[0].get_array()) for panel in figure.axes if panel.images]
    assert len(shown) == 16
    real, samples = shown[0], shown[6]  # six a row
    assert samples.shape[0] / real.shape[0] == pytest.approx(SAMPLES / REAL, rel=0.05)
    assert "not comparable" in figure.get_suptitle()


def test_a_long_difference_is_cut() -> None:
    figure = samples_figure([exhibit(differs="learning_rate 0.001, " * 30)])
    title = next(panel.get_title() for panel in figure.axes if panel.get_title())
    assert title.count("\n") <= 8
    assert "…" in title
    assert title.endswith("fd 3")


def test_paths_of_other_sizes_colours_and_timesteps_stand_in_one_picture() -> None:
    figure = paths_figure([exhibit(0), exhibit(1, (3, 16, 16), timesteps=100)])
    assert figure is not None
    (panel,) = figure.axes
    rows = [text.get_text() for text in panel.get_yticklabels()]
    assert rows == [
        f"trial {n}, {i}{what}"
        for n in (0, 1)
        for i in range(1, 6)
        for what in ("", f": {PREDICTED}")
    ]
    columns = [text.get_text() for text in panel.get_xticklabels()]
    assert (columns[0], columns[-2], columns[-1]) == ("1.00 T", "0.00 T", "image")
    alone = paths_figure([exhibit(0)])
    assert alone is not None
    assert [t.get_text() for t in alone.axes[0].get_xticklabels()][:2] == ["t = 39", "t = 35"]


def test_scores_that_cannot_be_compared_have_panels_of_their_own() -> None:
    first, second = exhibit(0, scores={1: 5.0, 2: 4.0}), exhibit(1, scores={1: 6.0})
    other = exhibit(2, scores={1: 900.0}, group=1)
    none = exhibit(3, scores={}, group=None)
    figure = scores_figure([first, second, other, none])
    assert figure is not None
    assert [len(panel.lines) for panel in figure.axes] == [2, 1]
    assert figure.axes[0].get_ylabel() == "fd, N = 400 (less is better)"
    assert scores_figure([none]) is None
