from __future__ import annotations

from pathlib import Path

import pytest
import torch
from paths import SHARED_DATA
from PIL import Image
from sklearn.datasets import load_sample_image
from torch import Tensor
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from study.data import load_images
from study.scoring.embedders import make_embedder
from study.scoring.embedders.inception import InceptionEmbedder
from study.scoring.embedders.inception_weights import load_weights
from study.spec.embedder_info import EMBEDDERS
from study.spec.errors import UserError

CPU = torch.device("cpu")
BEDROOMS = SHARED_DATA / "bedrooms"

# Each picture takes a tenth of a second and more: about 150 of them in these tests in all.


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return load_weights()


@pytest.fixture(scope="module")
def embedder(weights: dict[str, Tensor]) -> InceptionEmbedder:
    return InceptionEmbedder("inception", weights, CPU)


@pytest.fixture(scope="module")
def reference(
    weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> FeatureExtractorInceptionV3:
    """Torch-fidelity's network, layer by layer as it was trained: nothing folded, nothing merged.

    It wants a classifier as well, whose outputs nobody looks at.
    """
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    classifier = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(weights | classifier, path)
    return FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    )


def patches() -> Tensor:
    return load_images("photo_patches").tensor()[::130]  # [4, 3, 32, 32]


def photographs() -> Tensor:
    pictures = [load_sample_image(name) for name in ("china.jpg", "flower.jpg")]
    return torch.stack([torch.from_numpy(picture.copy()) for picture in pictures]).permute(
        0, 3, 1, 2
    )  # [2, 3, 427, 640]


def bedrooms() -> Tensor:
    pictures = [Image.open(path).convert("RGB") for path in sorted(BEDROOMS.glob("**/*.*g"))[:6]]
    whole = [picture.resize((256, 170)).tobytes() for picture in pictures]
    return torch.stack(
        [torch.frombuffer(bytearray(one), dtype=torch.uint8).view(170, 256, 3) for one in whole]
    ).permute(0, 3, 1, 2)


# Whoever has the bedrooms beside the project looks at those too; they may not be passed on.
REAL = [patches, photographs] + ([bedrooms] if BEDROOMS.is_dir() else [])


@pytest.mark.parametrize("pictures", REAL)
def test_features_are_those_of_torch_fidelity(
    embedder: InceptionEmbedder, reference: FeatureExtractorInceptionV3, pictures: object
) -> None:
    assert callable(pictures)
    images = pictures()
    (expected,) = reference(images)
    features = embedder(images)
    assert features.shape == (len(images), embedder.dim) == (len(images), 2048)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert not features.is_inference()
    error = (features - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 1e-5
    assert (features - expected).abs().max() < 1e-5 * expected.abs().max()


def test_they_are_the_same_without_onednns_own_operations(
    embedder: InceptionEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = embedder(patches())
    monkeypatch.setattr("study.scoring.embedders.inception_network._ORDERS_KERNELS", False)
    plain = embedder(patches())
    assert (features - plain).abs().max() < 1e-5 * plain.abs().max()


def test_an_images_features_do_not_depend_on_its_neighbours(embedder: InceptionEmbedder) -> None:
    images = torch.cat([patches(), load_images("photo_patches").tensor()[1:10]])  # 13
    together = embedder(images)
    assert torch.equal(embedder(images.flip(0)).flip(0), together)
    assert torch.equal(embedder(images[4:7]), together[4:7])
    assert torch.equal(embedder(images[12:]), together[12:])


def test_pictures_of_several_sizes_go_together(embedder: InceptionEmbedder) -> None:
    grey = patches()[:2, :1]
    prepared = torch.cat([embedder.prepare(part) for part in (photographs(), patches(), grey)])
    assert prepared.shape == (8, 3, 299, 299)
    features = embedder.embed(prepared)
    assert torch.equal(features[:2], embedder(photographs()))
    # Grey is repeated, and then resized.
    assert torch.equal(prepared[6:], embedder.prepare(grey.repeat(1, 3, 1, 1)))


def test_no_images_have_no_features(embedder: InceptionEmbedder) -> None:
    assert embedder(patches()[:0]).shape == (0, 2048)


def test_each_rule_of_resizing_has_a_digest_of_its_own(
    weights: dict[str, Tensor], tmp_path: Path
) -> None:
    names = ("inception", "inception_torch", "inception_antialias", "inception_clean")
    made = [make_embedder(name, None, cache_folder=tmp_path, device=CPU, seed=0) for name in names]
    assert tuple(embedder.name for embedder in made) == names
    assert len({embedder.digest for embedder in made}) == 4
    assert all(embedder.any_size == EMBEDDERS[embedder.name].any_size for embedder in made)
    # Other digests would set scores of the same kind apart.
    assert made[0].digest == InceptionEmbedder("inception", weights, CPU).digest
    assert made[0].digest == "cbf9aeb93bb07180f7ca315e4494d2f67ea316bb48caee5a0058e4d7c54b3e45"


def test_images_of_another_kind_are_refused(embedder: InceptionEmbedder) -> None:
    images = patches()
    for wrong in (images.float(), images[0], images.repeat(1, 2, 1, 1), images[:, :2]):
        with pytest.raises(UserError, match=r"but must be torch.uint8 \[N, 1 or 3, H, W\]"):
            embedder(wrong)
