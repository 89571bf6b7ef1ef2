from __future__ import annotations

import numpy as np
import torch
from subjects import Answer, morph_images

from models.morphing import Morphing
from models.schedules import cosine
from study.data import load_images
from study.diagnostics.restoration import restoration_figure, restore

X0 = load_images("digits").tensor()[:6].float() / 127.5 - 1


T = 40


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def morphing(network: torch.nn.Module) -> Morphing:
    return Morphing(network, cosine(T), (1, 8, 8), morph_images()).eval().requires_grad_(False)


def test_a_network_that_knows_the_images_restores_them_from_anywhere() -> None:
    family = morphing(Answer(lambda z, t: X0))
    for restoration in restore(family, X0, [0, 7, 20, 39], seeded(), steps=10):
        assert restoration.error("one_shot", X0) == 0
        assert restoration.error("improved", X0) < 1e-9
        assert not torch.allclose(restoration.degraded, X0)


def test_a_network_that_changes_nothing_restores_worse_from_further_away() -> None:
    family = morphing(Answer(lambda z, t: z))
    errors = [
        r.error("one_shot", X0) for r in restore(family, X0, [0, 10, 20, 39], seeded(), steps=5)
    ]
    assert errors == sorted(errors)
    assert errors[0] < 0.01 < 0.5 < errors[-1]


def test_the_way_from_t_takes_its_share_of_the_steps() -> None:
    visited: list[int] = []

    def remember(z: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        visited.append(int(t[0]))
        return z

    restore(morphing(Answer(remember)), X0, [19], seeded(), steps=20, ways=["improved"])
    assert visited == [19, 17, 15, 13, 11, 9, 7, 5, 3, 1]


def test_the_original_stands_beside_what_became_of_it() -> None:
    family = morphing(Answer(lambda z, t: X0))
    figure = restoration_figure(X0, restore(family, X0, [0, 39], seeded(), steps=5))
    (panel,) = figure.axes
    assert [text.get_text() for text in panel.get_xticklabels()] == ["original", "t = 0", "t = 39"]
    assert [text.get_text() for text in panel.get_yticklabels()] == [
        "degraded",
        "one shot",
        "improved",
    ]
    cells = np.asarray(panel.images[0].get_array()).reshape(3, 9, 26, 3)
    original, restored, nothing = cells[0, :8, :8], cells[1, :8, 18:26], cells[1, :8, :8]
    assert np.array_equal(original, restored)
    assert (nothing == 1).all()
