from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch.nn import functional
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchvision.transforms.functional import to_tensor

from study.data import load_images
from study.scoring.embedders.resizing import RESIZES

SIZES = [(1, 1), (8, 8), (32, 32), (299, 299), (300, 301), (427, 640), (17, 600)]


def random_images(height: int, width: int, count: int = 2, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    shape = (count, channels, height, width)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def by_the_formula(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """ResizeBilinear of TensorFlow 1 on one plane, pixel by pixel, in double precision."""
    height, width = image.shape
    resized = np.empty((299, 299))
    for row in range(299):
        y = row * (height / 299)
        top, share_y = int(y), y - int(y)
        bottom = min(top + 1, height - 1)
        for column in range(299):
            x = column * (width / 299)
            left, share_x = int(x), x - int(x)
            right = min(left + 1, width - 1)
            above = (1 - share_x) * image[top, left] + share_x * image[top, right]
            below = (1 - share_x) * image[bottom, left] + share_x * image[bottom, right]
            resized[row, column] = (1 - share_y) * above + share_y * below
    return resized


@pytest.mark.parametrize("size", [(8, 8), (32, 32), (300, 301), (427, 640)])
def test_tensorflows_resize_is_its_formula(size: tuple[int, int]) -> None:
    image = random_images(*size, count=1, channels=1)
    expected = torch.from_numpy((by_the_formula(image[0, 0].numpy()) - 128) / 128)
    # A place is known to a few parts in ten million, and a level changes by 255 at most in one.
    assert (RESIZES["inception"](image)[0, 0] - expected).abs().max() < 3e-4


@pytest.mark.parametrize("size", SIZES)
def test_tensorflows_resize_is_that_of_torch_fidelity(size: tuple[int, int]) -> None:
    images = random_images(*size)
    expected = interpolate_bilinear_2d_like_tensorflow1x(
        images.float(), size=(299, 299), align_corners=False
    )
    assert torch.equal(RESIZES["inception"](images), (expected - 128) / 128)


@pytest.mark.parametrize("size", SIZES)
def test_the_others_are_those_of_torch(size: tuple[int, int]) -> None:
    images = random_images(*size)

    def resized(antialias: bool) -> Tensor:
        return functional.interpolate(
            images.double(), (299, 299), mode="bilinear", antialias=antialias
        )

    assert torch.allclose(
        RESIZES["inception_antialias"](images).double(), (resized(True) - 128) / 128, atol=3e-4
    )
    # pytorch-fid reads pictures by ToTensor, resizes, and puts 0..1 onto -1..1.
    read = torch.stack([to_tensor(image.permute(1, 2, 0).numpy()) for image in images])
    assert torch.equal(
        RESIZES["inception_torch"](images),
        2 * functional.interpolate(read, (299, 299), mode="bilinear", align_corners=False) - 1,
    )
    assert torch.allclose(
        RESIZES["inception_torch"](images).double(), resized(False) / 127.5 - 1, atol=3e-4
    )


@pytest.mark.parametrize("size", SIZES)
def test_clean_fids_is_pillows_channel_by_channel(size: tuple[int, int]) -> None:
    images = random_images(*size)
    resized = RESIZES["inception_clean"](images)
    for index in range(2):
        for channel in range(3):
            plane = Image.fromarray(images[index, channel].numpy().astype(np.float32), mode="F")
            plane = plane.resize((299, 299), resample=Image.Resampling.BICUBIC)
            expected = (np.asarray(plane).clip(0, 255) - 128) / 128
            assert np.array_equal(resized[index, channel].numpy(), expected)


def test_the_rules_differ_on_a_photograph_and_agree_at_299() -> None:
    photograph = torch.from_numpy(load_sample_image("china.jpg").copy()).permute(2, 0, 1)[None]
    shrunk = {name: resize(photograph) for name, resize in RESIZES.items()}
    kept = {name: resize(photograph[:, :, :299, :299]) for name, resize in RESIZES.items()}
    for name in set(RESIZES) - {"inception"}:
        assert (shrunk[name] - shrunk["inception"]).abs().mean() > 0.01
        # pytorch-fid divides by 127.5 and not by 128.
        assert (kept[name] - kept["inception"]).abs().max() < 0.01


@pytest.mark.parametrize("name", sorted(RESIZES))
@given(height=st.integers(1, 320), width=st.integers(1, 320), level=st.integers(0, 255))
@settings(max_examples=12)
def test_an_even_picture_stays_even(name: str, height: int, width: int, level: int) -> None:
    images = torch.full((1, 1, height, width), level, dtype=torch.uint8)
    resized = RESIZES[name](images)
    half = 127.5 if name == "inception_torch" else 128
    assert resized.shape == (1, 1, 299, 299)
    assert resized.dtype == torch.float32
    assert (resized - (level / half - 1)).abs().max() < 1e-5


@pytest.mark.parametrize("name", sorted(RESIZES))
def test_pictures_and_channels_do_not_touch_each_other(name: str) -> None:
    images = load_images("photo_patches").tensor()[:3]
    together = RESIZES[name](images)
    apart = [[RESIZES[name](plane[None, None])[0, 0] for plane in image] for image in images]
    # Torch takes one path of its code or another by the number of channels.
    assert (together - torch.stack([torch.stack(planes) for planes in apart])).abs().max() < 1e-6
