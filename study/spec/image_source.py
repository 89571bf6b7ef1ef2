"""A summary of the images at a path, from headers alone, before anything is loaded."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from study.spec.array_file import image_arrays, nchw_shape, read_headers
from study.spec.datasets import has_labels, image_count, own_channels
from study.spec.left_out import LeftOut, Reason
from study.spec.picture_folder import list_pictures
from study.spec.picture_header import read_picture_header


@dataclass(frozen=True)
class ImageSource:
    """The images at a path.

    Attributes:
        count: How many there are, without those whose headers can not be read.
        sizes: (height, width) in pixels, and how many images have it; the most frequent first.
        channels: What a study takes them for if it does not say: 1 if all are grey, else 3.
        labels: Whether they have labels.
        left_out: What of a folder is no part of them.
    """

    count: int
    sizes: dict[tuple[int, int], int]
    channels: int
    labels: bool
    left_out: tuple[LeftOut, ...] = ()


def summarise_images(path: str) -> ImageSource:
    """What there is at the path of a folder of pictures, an .npy or an .npz. No pixel is decoded.

    Raises:
        ValueError: There are no images.
    """
    count, labels, channels = image_count(path), has_labels(path), own_channels(path)
    if not Path(path).is_dir():
        headers = read_headers(Path(path))
        _, _, height, width = nchw_shape(headers[image_arrays(headers).images].shape)
        return ImageSource(count, {(height, width): count}, channels, labels)
    folder = list_pictures(path)
    sizes: Counter[tuple[int, int]] = Counter()
    left_out = list(folder.left_out)
    for picture in folder.pictures:
        header = read_picture_header(picture)
        if header is None:
            name = picture.relative_to(path).as_posix()
            left_out.append(LeftOut(name, Reason.UNREADABLE))
        else:
            sizes[header.height, header.width] += 1
    left_out.sort(key=lambda each: each.name)
    return ImageSource(sizes.total(), dict(sizes.most_common()), channels, labels, tuple(left_out))
