"""A summary of the images at a path, from headers alone, before anything is loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from study.spec.datasets import has_labels, image_count, pictures


@dataclass(frozen=True)
class ImageSource:
    """The images at a path.

    Attributes:
        count: How many there are, without those whose headers can not be read.
        sizes: (height, width) in pixels, and how many images have it; the most frequent first.
        channels: What a study takes them for if it does not say: 1 if all are grey, else 3.
        labels: Whether they have labels.
    """

    count: int
    sizes: dict[tuple[int, int], int]
    channels: int
    labels: bool


def summarise_images(path: str) -> ImageSource:
    """What there is at the path of a folder of pictures, an .npy or an .npz. No pixel is decoded.

    Raises:
        ValueError: There are no images.
    """
    count, labels = image_count(path), has_labels(path)
    if not Path(path).is_dir():
        import numpy as np

        loaded = np.load(path, mmap_mode="r")
        images = loaded if isinstance(loaded, np.ndarray) else loaded[loaded.files[0]]
        shape = images.shape[1:]
        channels = next((n for n in (shape[0], shape[-1]) if len(shape) == 3 and n in (1, 3)), 1)
        height, width = [n for n in shape if n not in (1, 3)] if len(shape) == 3 else shape
        return ImageSource(count, {(height, width): count}, channels, labels)
    from PIL import Image

    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for picture in pictures(path):
        try:
            with Image.open(picture) as opened:
                sizes[opened.height, opened.width] += 1
                grey &= opened.mode in ("1", "L", "LA", "La") or opened.mode.startswith("I")
        except Exception:
            continue
    return ImageSource(sizes.total(), dict(sizes.most_common()), 1 if grey else 3, labels)
