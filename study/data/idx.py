"""MNIST and Fashion-MNIST: 60,000 training images each, in the four gzip files they came in.

Both have the same files: LeCun's IDX format, big-endian, packed by gzip. Of the four only those of
the training set are read.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from study.data.cache import get_or_make, user_cache_folder
from study.data.image_set import ImageSet
from study.spec.errors import UserError

_IMAGES, _LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"

# Of what the files hold when they are unpacked: Debian packs Fashion-MNIST anew, so that its gzip
# files are others. The originals, whose MD5 torchvision knows, hold the same.
_MD5 = {
    "mnist": {
        _IMAGES: "6bbc9ace898e44ae57da46a324031adb",
        _LABELS: "a25bea736e30d166cdddb491f175f624",
    },
    "fashion_mnist": {
        _IMAGES: "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        _LABELS: "9018921c3c673c538a1fc5bad174d6f9",
    },
}

CLASS_NAMES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "fashion_mnist": (
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        )
    }
)
"""What the labels of a data set stand for, where they are not the numbers themselves."""

_SYSTEM = Path("/usr/share/datasets")
_TORCHVISION_NAMES = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def mnist() -> ImageSet:
    """The 60,000 handwritten digits of MNIST's training set: [60000, 1, 28, 28].

    Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits. The files are
    looked for as `places` says, and downloaded into the user's cache folder otherwise.

    Raises:
        UserError: If the files are found nowhere and can not be downloaded, or are damaged.
    """
    return _read("mnist")


def fashion_mnist() -> ImageSet:
    """The 60,000 pictures of clothes in Fashion-MNIST's training set: [60000, 1, 28, 28].

    H. Xiao, K. Rasul, R. Vollgraf: Fashion-MNIST, arXiv:1708.07747; MIT licence. The files are
    looked for as `places` says, and downloaded into the user's cache folder otherwise.

    Raises:
        UserError: If the files are found nowhere and can not be downloaded, or are damaged.
    """
    return _read("fashion_mnist")


def places(name: str) -> list[Path]:
    """The folders that the files of a data set are looked for in, in this order.

    `$STUDY_DATA/<name>` if that variable is set, the user's cache folder, and where Debian's
    packages `dataset-...` put them.
    """
    data_folder = os.environ.get("STUDY_DATA")
    return [
        *([Path(data_folder) / name] if data_folder else []),
        user_cache_folder() / name,
        _SYSTEM / name.replace("_", "-"),
    ]


def _read(name: str) -> ImageSet:
    pixels = _unpacked(name, _IMAGES)[16:]  # after the magic number, N, H and W
    labels = _unpacked(name, _LABELS)[8:]  # after the magic number and N
    return ImageSet(
        name,
        np.frombuffer(pixels, np.uint8).reshape(-1, 1, 28, 28),
        np.frombuffer(labels, np.uint8).astype(np.int64),
    )


def _unpacked(name: str, file: str) -> bytes:
    """What a gzip file holds; as its digest is checked, its header need not be."""
    existing = [folder / file for folder in places(name) if (folder / file).is_file()]
    path = existing[0] if existing else user_cache_folder() / name / file
    try:
        content = gzip.decompress(path.read_bytes() if existing else _download(name, file))
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"The file {path} of `{name}` can not be read ({error})") from error
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != _MD5[name][file]:
        raise UserError(
            f"The file {path} unpacks to what has the MD5 {digest}, "
            f"but must to {_MD5[name][file]}, to be the one of `{name}`"
        )
    return content


def _download(name: str, file: str) -> bytes:
    """The gzip file, kept in the user's cache folder."""
    return get_or_make(
        user_cache_folder() / name,
        file,
        make=lambda: _fetch(name, file),
        save=bytes,
        load=bytes,
    )


def _fetch(name: str, file: str) -> bytes:
    from torchvision import datasets  # slow to import, and needed for downloads alone
    from torchvision.datasets.utils import download_url

    source = getattr(datasets, _TORCHVISION_NAMES[name])
    md5 = dict(source.resources)[file]
    reason = "no mirror is known"
    with tempfile.TemporaryDirectory() as folder:
        for mirror in source.mirrors:
            try:
                download_url(f"{mirror}{file}", folder, filename=file, md5=md5)
                return (Path(folder) / file).read_bytes()
            except (OSError, RuntimeError) as error:  # no connection; another file than expected
                reason = str(error)
    looked = ", ".join(str(folder) for folder in places(name))
    raise UserError(
        f"The file {file} of `{name}` is in none of {looked}, and can not be downloaded "
        f"({reason}); put it there, or in $STUDY_DATA/{name}"
    )
