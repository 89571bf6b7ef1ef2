from __future__ import annotations

import io
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from subjects import MODELS, build, make_subject

from models import FAMILIES
from study.diagnostics.catalogue import DIAGNOSTICS, applying
from study.diagnostics.subject import Picture

FITTING = {
    kind: [n for n, d in DIAGNOSTICS.items() if d.fits(build(kind)) and n != "folds"]
    for kind in MODELS
}


def pixels(picture: Picture) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    if isinstance(picture, Figure):
        buffer = io.BytesIO()
        picture.savefig(buffer, format="png", dpi=40)
        picture = Image.open(buffer)
    return np.asarray(picture.convert("L"))


def test_folds_apply_where_some_were_gone_through(tmp_path: Path) -> None:
    subject = make_subject(tmp_path)
    assert DIAGNOSTICS["folds"].fits(subject.family)
    assert applying(subject) == FITTING["ddpm"]


def test_each_family_has_its_diagnostics() -> None:
    assert {*MODELS} == {*FAMILIES} - {"custom"}
    everyone = {"curves", "samples", "neighbours", "collapse"}
    own = {
        "gan": {"latents"},
        "morphing": {"schedules", "strips", "restoration", "starts"},
        "ddpm": {"schedules", "gaussianity", "strips", "noise", "bound", "latents"},
    }
    assert {kind: {*names} - everyone for kind, names in FITTING.items()} == own
    assert all(everyone <= {*names} for names in FITTING.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in FITTING.items() for name in names]
)
def test_every_diagnostic_is_a_function_of_the_seed(tmp_path: Path, kind: str, name: str) -> None:
    state = torch.random.get_rng_state()
    first, again = (DIAGNOSTICS[name].diagnose(make_subject(tmp_path, kind)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert first.measures == again.measures
    assert first.headline == again.headline
    assert "\n" not in first.headline
    keys = [(m.quantity, m.axis, m.x, m.samples, m.sampler, m.steps) for m in first.measures]
    assert len(set(keys)) == len(keys)
    assert all(math.isfinite(measure.value) for measure in first.measures)
    assert all((measure.x is None) == (measure.axis == "") for measure in first.measures)
    assert first.pictures
    for picture in first.pictures.values():
        assert pixels(picture).std() > 0  # an untrained network may make grey images


def test_a_family_from_elsewhere_may_be_a_ddpm(tmp_path: Path) -> None:
    subject = replace(make_subject(tmp_path), model={"family": "custom", "path": "mine:Mine"})
    for name in ("schedules", "gaussianity"):
        assert DIAGNOSTICS[name].diagnose(subject).pictures
