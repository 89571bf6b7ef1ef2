from __future__ import annotations

import torch

from study.scoring.embedders import PixelEmbedder

CPU = torch.device("cpu")


def test_pixels_are_the_pixels() -> None:
    embedder = PixelEmbedder((3, 1, 2), CPU)
    features = embedder(torch.tensor([[[[0, 51]], [[102, 153]], [[204, 255]]]], dtype=torch.uint8))
    assert torch.allclose(features, torch.tensor([[0, 0.2, 0.4, 0.6, 0.8, 1]]))
    assert embedder.digest != PixelEmbedder((1, 3, 2), CPU).digest


def test_digests_are_those_of_scores_already_written() -> None:
    digest = PixelEmbedder((1, 8, 8), CPU).digest
    assert digest == "b3c002556461732769b2e421fa559c771da7680e9cb0726e614ea1c76c51d3bf"
