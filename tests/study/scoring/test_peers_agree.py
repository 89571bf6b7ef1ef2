"""Real pictures through real networks: ours beside torch-fidelity and torchmetrics, whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor, nn
from torch.utils.data import Dataset
from torch_fidelity import calculate_metrics
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from study.data import load_images
from study.data.opening import open_images
from study.scoring import Scores, score_images
from study.scoring.comparison import Comparison, Value
from study.scoring.embedders.inception import InceptionEmbedder
from study.scoring.embedders.inception_weights import load_weights
from study.scoring.frechet import (
    MomentAccumulator,
    Moments,
    Reference,
    distance_to,
    frechet_distance,
)
from study.scoring.kernel_distance import kid, mmd
from study.scoring.measures import measure

pytestmark = pytest.mark.slow

PATCHES, CROPS = 5, 5
SUBSET_SIZE = 8


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


@pytest.fixture(scope="module")
def ours(
    pictures: tuple[list[Tensor], list[Tensor]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Scores, list[Tensor]]:
    """What `score_images` says of the pictures in two folders, and the features that it took."""
    folder = tmp_path_factory.mktemp("pictures")
    for side, parts in zip(("generated", "real"), pictures, strict=True):
        (folder / side).mkdir()
        for index, picture in enumerate(Pictures(parts).pictures):
            levels = picture.permute(1, 2, 0).numpy()
            Image.fromarray(levels).save(folder / side / f"{index:02}.png")
    taken: list[Tensor] = []

    def watched(comparison: Comparison, names: Sequence[str]) -> dict[str, Value]:
        assert comparison.real is not None
        taken.extend([comparison.generated, comparison.real])
        return measure(comparison, names)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("study.scoring.image_scores.measure", watched)
        scores = score_images(
            open_images(str(folder / "generated")),
            open_images(str(folder / "real")),
            metrics=["fid", "kid", "precision", "recall"],
            kid_subset_size=SUBSET_SIZE,
            seed=7,  # any
            cache_folder=folder / "cache",
            device="cpu",
        )
    return scores, taken


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
        kid_subset_size=SUBSET_SIZE,  # its default is more than there are
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


def test_torch_fidelity(
    ours: tuple[Scores, list[Tensor]], torch_fidelitys: Mapping[str, float]
) -> None:
    scores, (generated, real) = ours
    distance = torch_fidelitys["frechet_inception_distance"]
    assert scores["fid"] == pytest.approx(distance, abs=1e-3)
    mean = torch_fidelitys["kernel_inception_distance_mean"]
    assert scores["kid"] == pytest.approx(mean, abs=1e-6)
    deviation = torch_fidelitys["kernel_inception_distance_std"]
    kernel = kid(generated, real, subset_size=SUBSET_SIZE)
    assert kernel.deviation == pytest.approx(deviation, abs=1e-6)
    for share in ("precision", "recall"):
        assert scores[share] == pytest.approx(torch_fidelitys[share], abs=1e-3)


class Given(nn.Identity):
    """In place of a network: features come as they are."""

    num_features = 2048


def test_torchmetrics(pictures: tuple[list[Tensor], list[Tensor]], weights_file: str) -> None:
    # Its default antialiases, which shows in pictures larger than the network's input.
    fewer = tuple([part[:2] for part in parts] for parts in pictures)
    embedder = InceptionEmbedder("inception_antialias", load_weights(), torch.device("cpu"))
    network = FrechetInceptionDistance(feature_extractor_weights_path=weights_file).inception
    distance = FrechetInceptionDistance(Given()).set_dtype(torch.float64)
    kernel = KernelInceptionDistance(Given(), subsets=1, subset_size=4)
    took = []
    for parts, is_real in zip(fewer, (False, True), strict=True):
        found = torch.cat([network(part) for part in parts])
        distance.update(found.double(), real=is_real)  # the network once, for both measures
        kernel.update(found.double(), real=is_real)
        prepared = torch.cat([embedder.prepare(part) for part in parts])
        took.append(embedder.embed(prepared))
        assert torch.allclose(found, took[-1], atol=1e-4)
    generated, real = took
    theirs = float(distance.compute())
    assert distance_to(Reference.of(Moments.of(real)), generated) == pytest.approx(theirs, abs=1e-3)
    assert mmd(generated, real).value == pytest.approx(float(kernel.compute()[0]), abs=1e-6)


def test_order_and_batches_make_no_difference(ours: tuple[Scores, list[Tensor]]) -> None:
    generated, real = (each[:, :400] for each in ours[1])
    reference = Reference.of(Moments.of(real))
    expected = distance_to(reference, generated)
    generator = torch.Generator().manual_seed(0)
    for size in (1, 3, 10):
        order = torch.randperm(len(generated), generator=generator)
        accumulator = MomentAccumulator()
        for batch in generated[order].split(size):
            accumulator.add(batch)
        found = frechet_distance(reference, accumulator.moments())
        assert found == pytest.approx(expected, rel=1e-6)
        assert distance_to(reference, generated[order]) == pytest.approx(expected, rel=1e-6)
