"""What a morphing model makes of images degraded to each timestep: at once, and step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.figure import Figure
from torch import Generator, Tensor

from models.morphing import Morphing
from models.samplers import MORPH_SAMPLERS
from study.diagnostics.figures import image_rows, lines
from study.diagnostics.paths import draw_start
from study.diagnostics.subject import Finding, Measure, Subject
from study.results.picture_titles import set_title

IMAGES = 16
COLUMNS = 10

WAYS = ("one_shot", "improved")


@dataclass(frozen=True, eq=False)
class Restoration:
    """Images degraded to one timestep and restored from there: each [B, C, H, W].

    Attributes:
        t: The timestep.
        degraded: The images at t.
        restored: By the name of the sampler.
    """

    t: int
    degraded: Tensor
    restored: dict[str, Tensor]

    def error(self, way: str, x0: Tensor) -> float:
        """Mean squared error of the restored images [B, C, H, W] in [-1, 1]."""
        return float((self.restored[way] - x0).square().mean())


def restore(
    family: Morphing,
    x0: Tensor,
    timesteps: Sequence[int],
    generator: Generator,
    *,
    steps: int,
    ways: Sequence[str] = WAYS,
) -> list[Restoration]:
    """Degrade images towards one morph image each, and restore them.

    Args:
        family: What restores.
        x0: Clean images, [B, C, H, W] float32 in [-1, 1].
        timesteps: Where to restore from.
        generator: Chooses the morph images.
        steps: How many steps the way from T-1 takes; from t, its share of them, at least 1.
        ways: Names in `MORPH_SAMPLERS`.
    """
    z = draw_start(family.morph_set, "images", len(x0), generator)
    total = family.schedule.timesteps
    restorations = []
    for t in timesteps:
        z_t = family.degrade(x0, z, torch.full((len(x0),), t, device=x0.device))
        count = max(1, min(t + 1, round(steps * (t + 1) / total)))
        restored = {}
        for way in ways:
            run = MORPH_SAMPLERS[way]
            *_, last = run(family, z_t, z=z, t=t, steps=count, generator=generator)
            restored[way] = last.x
        restorations.append(Restoration(t, z_t, restored))
    return restorations


def restoration_figure(x0: Tensor, restorations: Sequence[Restoration]) -> Figure:
    """The first image, degraded to each timestep, above what each way makes of it."""
    rows = {"degraded": torch.stack([x0[0], *(r.degraded[0] for r in restorations)])}
    for way in restorations[0].restored:
        rows[way.replace("_", " ")] = torch.stack([r.restored[way][0] for r in restorations])
    columns = ["original", *(f"t = {r.t}" for r in restorations)]
    return image_rows(rows, columns, "One held-out image, restored from each timestep")


def error_figure(x0: Tensor, restorations: Sequence[Restoration]) -> Figure:
    """Error of each way against the timestep restored from."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    t = [r.t for r in restorations]
    curves = {
        w.replace("_", " "): (t, [r.error(w, x0) for r in restorations])
        for w in restorations[0].restored
    }
    lines(panel, curves, x="restored from t", y="mean squared error", marker=".")
    set_title(figure, f"Error of N = {len(x0)} restored held-out images")
    return figure


def diagnose(subject: Subject) -> Finding:
    """Held-out images, one-shot beside the improved algorithm."""
    family = subject.family
    assert isinstance(family, Morphing)
    x0 = subject.batch(subject.held_out, IMAGES, "restoration")
    last = family.schedule.timesteps - 1
    timesteps = sorted({round(last * i / (COLUMNS - 1)) for i in range(COLUMNS)})
    steps = subject.steps if subject.steps > 1 else min(20, last + 1)
    restorations = restore(family, x0, timesteps, subject.generator("restoration"), steps=steps)
    measures = [
        Measure(f"mse.{way}", r.error(way, x0), len(x0), "t", r.t, sampler=way, steps=steps)
        for r in restorations
        for way in WAYS
    ]
    middle = restorations[len(restorations) // 2]
    return Finding(
        headline=f"mean squared error {middle.error('one_shot', x0):.3g} at once, "
        f"{middle.error('improved', x0):.3g} improved, from t = {middle.t}",
        measures=measures,
        pictures={
            "restoration": restoration_figure(x0, restorations),
            "restoration-by-t": error_figure(x0, restorations),
        },
    )
