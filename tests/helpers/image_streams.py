"""Images for streams, and what comes out of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from study.data.streams import ImageStream

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (11, 1, 12, 10), dtype=np.uint8)
RGB = RNG.integers(0, 256, (11, 3, 12, 10), dtype=np.uint8)
LABELS = np.arange(11) % 3


def whole(stream: ImageStream, most: int = 4) -> np.ndarray:
    blocks = [*stream.blocks(most)]
    assert all(len(block) <= most for block in blocks)
    return np.concatenate(blocks)


def saved(folder: Path, images: np.ndarray) -> Path:
    """A folder of PNGs, from [N, 3, H, W]."""
    folder.mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{index:03}.png")
    return folder
