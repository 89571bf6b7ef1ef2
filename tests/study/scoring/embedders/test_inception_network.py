from __future__ import annotations

import pytest
import torch
from photographs import BEDROOMS, bedrooms, patches, photographs
from torch import Tensor, nn
from torch.nn import functional
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from study.scoring.embedders import inception_network
from study.scoring.embedders.inception import InceptionEmbedder

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reference(
    inception_weights: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> FeatureExtractorInceptionV3:
    """Torch-fidelity's network, layer by layer as it was trained: nothing folded, nothing merged.

    It wants a classifier as well, whose outputs nobody looks at.
    """
    path = tmp_path_factory.mktemp("weights") / "weights.pth"
    classifier = {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}
    torch.save(inception_weights | classifier, path)
    return FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    )


# Whoever has the bedrooms beside the project looks at those too; they may not be passed on.
REAL = [patches, photographs] + ([bedrooms] if BEDROOMS.is_dir() else [])


@pytest.mark.parametrize("pictures", REAL)
def test_features_are_those_of_torch_fidelity(
    inception: InceptionEmbedder, reference: FeatureExtractorInceptionV3, pictures: object
) -> None:
    assert callable(pictures)
    images = pictures()
    (expected,) = reference(images)
    features = inception(images)
    assert features.shape == (len(images), inception.dim) == (len(images), 2048)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert not features.is_inference()
    error = (features - expected).norm(dim=1) / expected.norm(dim=1)
    assert error.max() < 1e-5
    assert (features - expected).abs().max() < 1e-5 * expected.abs().max()


def test_they_are_the_same_without_onednns_own_operations(
    inception: InceptionEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = inception(patches())
    monkeypatch.setattr("study.scoring.embedders.inception_network._ORDERS_KERNELS", False)
    plain = inception(patches())
    assert (features - plain).abs().max() < 1e-5 * plain.abs().max()


def layer(
    generator: torch.Generator, name: str, out: int, into: int, side: int
) -> dict[str, Tensor]:
    """Weights of a convolution of side x side and its batch normalisation."""

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    return {
        f"{name}.conv.weight": draw(out, into, side, side),
        f"{name}.bn.weight": draw(out),
        f"{name}.bn.bias": draw(out),
        f"{name}.bn.running_mean": draw(out),
        f"{name}.bn.running_var": draw(out).square() + 0.1,
    }


def textbook(weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    """The convolution, then its batch normalisation, then the rectification."""
    parts = (weights[f"{name}.bn.{part}"] for part in ("running_mean", "running_var", "weight"))
    mean, variance, scale = parts
    bias = weights[f"{name}.bn.bias"]
    x = functional.conv2d(x, weights[f"{name}.conv.weight"])
    return functional.batch_norm(x, mean, variance, scale, bias, eps=1e-3).relu()


@pytest.fixture(params=[False, True], ids=["plain", "onednn"])
def ordered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to compute a convolution, where there are both."""
    if request.param and not inception_network._ORDERS_KERNELS:
        pytest.skip("this torch has no such operations")
    monkeypatch.setattr(inception_network, "_ORDERS_KERNELS", request.param)


@pytest.mark.usefixtures("ordered")
def test_merged_and_folded_convolutions_are_those_that_were_trained() -> None:
    generator = torch.Generator().manual_seed(0)
    widths = {"block.one": 5, "block.five": 3, "block.three": 4}
    weights: dict[str, Tensor] = {}
    for name, width in widths.items():
        weights |= layer(generator, name, width, 6, 1)
    x = torch.randn(2, 6, 7, 7, generator=generator)
    heads = inception_network._Heads(weights, "block", "one", "five", "three")
    for head, (name, width) in zip(heads(x), widths.items(), strict=True):
        assert head.shape == (2, width, 7, 7)
        torch.testing.assert_close(head, textbook(weights, name, x), rtol=1e-4, atol=1e-4)


@pytest.mark.usefixtures("ordered")
def test_averages_after_the_convolution_are_those_before_it() -> None:
    generator = torch.Generator().manual_seed(1)
    weights = layer(generator, "pool", 4, 6, 1)
    x = torch.randn(2, 6, 7, 7, generator=generator)
    before = nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False)(x)
    pooled = inception_network._average_pooled(weights, "pool")(x)
    torch.testing.assert_close(pooled, textbook(weights, "pool", before), rtol=1e-4, atol=1e-4)
