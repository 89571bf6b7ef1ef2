"""The noise in an image, and what the network takes for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from models.ddpm import DDPM
from study.diagnostics.figures import Numbers, image_rows, lines
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title

SHOWN = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)
"""Where in 0 .. T-1 noise is shown."""

POINTS = 21
IMAGES = 32


@dataclass(frozen=True, eq=False)
class NoisePrediction:
    """Noise at one timestep, and what was predicted: each [B, C, H, W]."""

    t: int
    x_t: Tensor
    real: Tensor
    predicted: Tensor


@dataclass(frozen=True, eq=False)
class NoiseCurve:
    """How good the prediction is at some timesteps: each [n].

    Attributes:
        t: The timesteps.
        mse: Mean squared error; a prediction of no noise at all has 1.
        deviation: Standard deviation of the predicted noise; that of the real noise is 1.
    """

    t: Sequence[int]
    mse: Numbers
    deviation: Numbers


@torch.no_grad()
def predict_noise(
    family: DDPM, x0: Tensor, timesteps: Sequence[int], generator: Generator
) -> list[NoisePrediction]:
    """Real noise and the family's prediction of it, whatever the network itself predicts.

    Args:
        family: What predicts.
        x0: Clean images, [B, C, H, W] float32 in [-1, 1].
        timesteps: Where.
        generator: The source of the noise, on the images' device.
    """
    schedule = family.schedule.to(x0.device)
    predictions = []
    for t in timesteps:
        at = torch.full((len(x0),), t, device=x0.device)
        epsilon = torch.randn(x0.shape, generator=generator, device=x0.device)
        x_t = schedule.add_noise(x0, at, epsilon)
        predictions.append(NoisePrediction(t, x_t, epsilon, family.predict(x_t, at).epsilon))
    return predictions


def noise_curve(predictions: Sequence[NoisePrediction]) -> NoiseCurve:
    """Error and deviation of predictions by timestep."""
    mse = [float((p.predicted - p.real).square().mean()) for p in predictions]
    deviation = [float(p.predicted.std()) for p in predictions]
    return NoiseCurve(
        [p.t for p in predictions],
        torch.tensor(mse, dtype=torch.float64).numpy(),
        torch.tensor(deviation, dtype=torch.float64).numpy(),
    )


def noise_figure(predictions: Sequence[NoisePrediction]) -> Figure:
    """For the first image of each: the noisy image, its noise, the prediction, the difference."""
    rows = {
        "noisy image": torch.stack([p.x_t[0] for p in predictions]),
        "real noise": torch.stack([p.real[0] for p in predictions]),
        "predicted": torch.stack([p.predicted[0] for p in predictions]),
        "difference": torch.stack([(p.predicted - p.real)[0] for p in predictions]),
    }
    columns = [f"t = {p.t}" for p in predictions]
    shown = ("real noise", "predicted", "difference")
    return image_rows(rows, columns, "Noise in one held-out image, and as predicted", noise=shown)


def curve_figure(curves: Mapping[str, NoiseCurve], images: int) -> Figure:
    """Error and deviation against t, a curve for each set of images.

    Args:
        curves: By the set's name.
        images: How many images of each set were looked at, at most.
    """
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    x = "timestep t"
    mse = {name: (c.t, c.mse) for name, c in curves.items()}
    deviation = {name: (c.t, c.deviation) for name, c in curves.items()}
    lines(left, mse, x=x, y="mean squared error", scale="log", marker=".")
    lines(right, deviation, x=x, y="standard deviation predicted", marker=".")
    right.axhline(1, color="black", linewidth=0.8, linestyle=":", label="real noise")
    right.legend(frameon=False, fontsize=8)
    set_title(figure, f"How well the noise is predicted in N = {images} images of each set")
    return figure


def diagnose(subject: Subject) -> Finding:
    """Noise side by side on a held-out image; error by t on training and on held-out images."""
    family = subject.family
    assert isinstance(family, DDPM)
    last = family.schedule.timesteps - 1
    held_out = subject.batch(subject.held_out, IMAGES, "noise")
    train = subject.batch(subject.train, IMAGES, "noise")
    shown = sorted({round(last * share) for share in SHOWN})
    points = sorted({round(last * i / (POINTS - 1)) for i in range(POINTS)})
    side_by_side = predict_noise(family, held_out[:1], shown, subject.generator("noise"))
    curves = {
        name: noise_curve(predict_noise(family, x0, points, subject.generator("noise", "curve")))
        for name, x0 in (("training images", train), ("held-out images", held_out))
    }
    measures = []
    for suffix, curve, x0 in (
        ("", curves["held-out images"], held_out),
        (".train", curves["training images"], train),
    ):
        for t, mse, deviation in zip(curve.t, curve.mse, curve.deviation, strict=True):
            where = {"samples": len(x0), "axis": "t", "x": t}
            measures.append(Measure(f"mse{suffix}", float(mse), **where))  # type: ignore[arg-type]
            measures.append(Measure(f"deviation{suffix}", float(deviation), **where))  # type: ignore[arg-type]
    mean = float(curves["held-out images"].mse.mean())
    measures.append(Measure("mean_mse", mean, samples=len(held_out)))
    return Finding(
        headline=f"mean squared error {mean:.3g}",
        measures=measures,
        pictures={
            "noise": noise_figure(side_by_side),
            "noise-by-t": curve_figure(curves, max(len(train), len(held_out))),
        },
    )
