from __future__ import annotations

import io
import math
import re
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

IMAGES = re.compile(r"\bN = \d|\b\d+ (?:training images|pairs of)|One held-out|one held-out")
"""How a title says of how many images it is."""

WITHOUT_IMAGES = {"losses", "trials", "epochs", "schedules", "decay"}

FITTING = {
    kind: [n for n, d in DIAGNOSTICS.items() if d.fits(build(kind)) and n != "folds"]
    for kind in MODELS
}


def pixels(picture: Figure) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    buffer = io.BytesIO()
    picture.savefig(buffer, format="png", dpi=40)
    return np.asarray(Image.open(buffer).convert("L"))


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
    for file, picture in first.pictures.items():
        assert pixels(picture).std() > 0  # an untrained network may make grey images
        title = " ".join(picture.get_suptitle().split())
        assert IMAGES.search(title) or file in WITHOUT_IMAGES, title


def test_a_family_from_elsewhere_may_be_a_ddpm(tmp_path: Path) -> None:
    subject = replace(make_subject(tmp_path), model={"family": "custom", "path": "mine:Mine"})
    for name in ("schedules", "gaussianity"):
        assert DIAGNOSTICS[name].diagnose(subject).pictures
