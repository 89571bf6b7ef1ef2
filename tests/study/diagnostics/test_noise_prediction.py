from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from subjects import Answer, build, make_subject

from models.ddpm import DDPM
from models.schedules import cosine
from study.data import load_images
from study.diagnostics.noise_prediction import (
    curve_figure,
    diagnose,
    noise_curve,
    noise_figure,
    predict_noise,
)

X0 = load_images("digits").tensor()[:8].float() / 127.5 - 1
T = 40


def ddpm(network: torch.nn.Module) -> DDPM:
    return DDPM(network, cosine(T), (1, 8, 8)).eval().requires_grad_(False)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def knows_the_images() -> DDPM:
    schedule = cosine(T)

    def answer(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        alpha_bar = schedule.alpha_bars[t].float().view(-1, 1, 1, 1)
        return (x - alpha_bar.sqrt() * X0) / (1 - alpha_bar).sqrt()

    return ddpm(Answer(answer))


def test_a_network_that_knows_the_image_knows_the_noise() -> None:
    curve = noise_curve(predict_noise(knows_the_images(), X0, [0, 10, 39], seeded()))
    assert curve.mse.max() < 1e-8
    assert curve.deviation == pytest.approx([1, 1, 1], abs=0.08)


def test_a_network_that_predicts_zero_is_off_by_the_noises_variance() -> None:
    silent = ddpm(Answer(lambda x, t: torch.zeros_like(x)))
    curve = noise_curve(predict_noise(silent, X0, range(T), seeded()))
    assert curve.mse.mean() == pytest.approx(1, abs=0.02)
    assert (curve.deviation == 0).all()


def test_noise_has_one_scale_of_colours() -> None:
    family = build("ddpm")
    assert isinstance(family, DDPM)
    predictions = predict_noise(family, X0[:1], [0, 20, 39], seeded())
    figure = noise_figure(predictions)
    largest = max(
        float(noise.abs().max())
        for p in predictions
        for noise in (p.real, p.predicted, p.predicted - p.real)
    )
    panel, bar = figure.axes
    assert bar.get_ylim() == pytest.approx((-largest, largest))
    cells = np.asarray(panel.images[0].get_array()).reshape(4, 9, 26, 3)
    colours = colormaps["RdBu_r"]
    for row, noise in ((1, predictions[1].real), (2, predictions[1].predicted)):
        expected = colours((noise[0, 0].numpy() / largest + 1) / 2)[..., :3]
        assert np.allclose(cells[row, :8, 9:17], expected, atol=1e-6)


def test_a_curve_for_each_set_repeating() -> None:
    curve = noise_curve(predict_noise(knows_the_images(), X0, [0, 10, 39], seeded()))
    figure = curve_figure({"training images": curve, "held-out images": curve}, 8)
    assert "N = 8 images of each set" in figure.get_suptitle()
    assert [len(panel.lines) for panel in figure.axes] == [2, 3]


def test_the_ledger_gets_both_curves(tmp_path: Path) -> None:
    finding = diagnose(make_subject(tmp_path))
    quantities = {m.quantity for m in finding.measures}
    assert quantities == {"mse", "mse.train", "deviation", "deviation.train", "mean_mse"}
    times = [m.x for m in finding.measures if m.quantity == "mse"]
    assert (times[0], times[-1]) == (0, 39)
