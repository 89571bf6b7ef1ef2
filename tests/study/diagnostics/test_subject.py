from __future__ import annotations

from pathlib import Path

import numpy as np
from subjects import make_subject

from study.data import load_images


def test_few_held_out_images_are_not_compared_with(tmp_path: Path) -> None:
    few = load_images("digits").take(np.arange(100), part="few")
    subject = make_subject(tmp_path, images=few)
    assert len(subject.held_out) == 20
    assert len(subject.real) == 80
