"""Real pictures through real networks: ours beside torch-fidelity and torchmetrics, whole."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from study.data import load_images
from study.scoring.coverage import precision_recall
from study.scoring.embedders.inception import InceptionEmbedder
from study.scoring.embedders.inception_weights import load_weights
from study.scoring.frechet import (
    MomentAccumulator,
    Moments,
    Reference,
    distance_to,
    frechet_distance,
)
from study.scoring.kernel import kid, mmd

PATCHES, CROPS = 12, 12
SUBSETS, SUBSET_SIZE = 10, 18


def crops(photograph: str, seed: int) -> Tensor:
    """Pieces of a photograph, larger than the network's 299 pixels: uint8 [N, 3, 360, 400]."""
    picture = torch.from_numpy(load_sample_image(photograph).copy()).permute(2, 0, 1)
    generator = torch.Generator().manual_seed(seed)
    tops, lefts = (torch.randint(0, n, (CROPS,), generator=generator).tolist() for n in (67, 240))
    return torch.stack(
        [
            picture[:, top : top + 360, left : left + 400]
            for top, left in zip(tops, lefts, strict=True)
        ]
    )


@pytest.fixture(scope="module")
def pictures() -> tuple[list[Tensor], list[Tensor]]:
    """Two sets of real pictures, each in two sizes; the first stands for the generated."""
    patches = load_images("photo_patches").tensor()  # 32 x 32
    return (
        [patches[:PATCHES], crops("flower.jpg", 0)],
        [patches[-PATCHES:], crops("china.jpg", 1)],
    )


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The network as the others read it, who want a classifier as well."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    classifier = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(load_weights() | classifier, path)
    return str(path)


def embedded(name: str, parts: list[Tensor]) -> Tensor:
    embedder = InceptionEmbedder(name, load_weights(), torch.device("cpu"))
    return torch.cat([embedder(part) for part in parts])


@pytest.fixture(scope="module")
def features(pictures: tuple[list[Tensor], list[Tensor]]) -> list[Tensor]:
    return [embedded("inception", parts) for parts in pictures]


class Pictures(Dataset[Tensor]):
    def __init__(self, parts: list[Tensor]) -> None:
        self.pictures = [picture for part in parts for picture in part]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        return self.pictures[index]


@pytest.fixture(scope="module")
def torch_fidelitys(
    pictures: tuple[list[Tensor], list[Tensor]], weights_file: str
) -> Mapping[str, float]:
    generated, real = pictures
    found: Mapping[str, float] = calculate_metrics(
        input1=Pictures(generated),
        input2=Pictures(real),
        batch_size=PATCHES,  # one size in each batch
        cuda=False,
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=SUBSETS,
        kid_subset_size=SUBSET_SIZE,
        feature_extractor="inception-v3-compat",
        feature_layer_fid="2048",
        feature_layer_kid="2048",
        feature_layer_prc="2048",
        feature_extractor_weights_path=weights_file,
        save_cpu_ram=True,  # or it reads with four processes
        cache=False,
        verbose=False,
    )
    return found


def test_torch_fidelity(features: list[Tensor], torch_fidelitys: Mapping[str, float]) -> None:
    generated, real = features
    distance = distance_to(Reference.of(Moments.of(real)), generated)
    assert distance == pytest.approx(torch_fidelitys["frechet_inception_distance"], abs=1e-3)
    kernel = kid(generated, real, subsets=SUBSETS, subset_size=SUBSET_SIZE)
    mean = torch_fidelitys["kernel_inception_distance_mean"]
    assert kernel.value == pytest.approx(mean, abs=1e-6)
    deviation = torch_fidelitys["kernel_inception_distance_std"]
    assert kernel.deviation == pytest.approx(deviation, abs=1e-6)
    share = precision_recall(real, generated)
    assert share.precision == pytest.approx(torch_fidelitys["precision"], abs=1e-3)
    assert share.recall == pytest.approx(torch_fidelitys["recall"], abs=1e-3)


class Given(nn.Identity):
    """In place of a network: features come as they are."""

    num_features = 2048


def test_torchmetrics(pictures: tuple[list[Tensor], list[Tensor]], weights_file: str) -> None:
    # Its default antialiases, which shows in pictures larger than the network's input.
    fewer = tuple([part[:6] for part in parts] for parts in pictures)
    network = FrechetInceptionDistance(feature_extractor_weights_path=weights_file).inception
    distance = FrechetInceptionDistance(Given()).set_dtype(torch.float64)
    kernel = KernelInceptionDistance(Given(), subsets=1, subset_size=12)
    ours = []
    for parts, is_real in zip(fewer, (False, True), strict=True):
        found = torch.cat([network(part) for part in parts])
        distance.update(found.double(), real=is_real)  # the network once, for both measures
        kernel.update(found.double(), real=is_real)
        ours.append(embedded("inception_antialias", parts))
        assert torch.allclose(found, ours[-1], atol=1e-4)
    generated, real = ours
    theirs = float(distance.compute())
    assert distance_to(Reference.of(Moments.of(real)), generated) == pytest.approx(theirs, abs=1e-3)
    assert mmd(generated, real).value == pytest.approx(float(kernel.compute()[0]), abs=1e-6)


def test_order_and_batches_make_no_difference(features: list[Tensor]) -> None:
    generated, real = (each[:, :400] for each in features)
    reference = Reference.of(Moments.of(real))
    expected = distance_to(reference, generated)
    generator = torch.Generator().manual_seed(0)
    for size in (1, 7, 24):
        order = torch.randperm(len(generated), generator=generator)
        accumulator = MomentAccumulator()
        for batch in generated[order].split(size):
            accumulator.add(batch)
        found = frechet_distance(reference, accumulator.moments())
        assert found == pytest.approx(expected, rel=1e-6)
        assert distance_to(reference, generated[order]) == pytest.approx(expected, rel=1e-6)
