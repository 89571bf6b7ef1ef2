"""The four libraries that `scoring.py` sets our scoring beside, under one interface."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

DIM = 2048


def batches(images: Tensor, size: int, embed: Callable[[Tensor], Tensor]) -> Tensor:
    """Features by batches."""
    with torch.no_grad():
        return torch.cat([embed(batch).cpu() for batch in images.split(size)])


def by_size(folder: Path, size: int) -> Iterator[Tensor]:
    """The pictures of a folder, a batch at a time: uint8 [n, 3, H, W]."""
    from PIL import Image

    files = sorted(folder.iterdir())
    for start in range(0, len(files), size):
        arrays = [np.array(Image.open(file).convert("RGB")) for file in files[start : start + size]]
        yield torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)


class PytorchFid:
    """pytorch-fid."""

    def __init__(self, folder: Path, device: str) -> None:
        os.environ["TORCH_HOME"] = str(folder)
        self.device = device
        self.network: Any = None
        self.kept: tuple[Any, Any] = (None, None)

    def embed(self, images: Tensor) -> Tensor:
        from pytorch_fid.inception import InceptionV3

        if self.network is None:
            self.network = InceptionV3([3]).to(self.device).eval()

        def embed(batch: Tensor) -> Tensor:
            x = batch.to(self.device).float() / 255
            features: Tensor = self.network(x)[0][:, :, 0, 0]
            return features

        return batches(images, 50, embed)  # 50 is its default

    def keep(self, real: Tensor) -> None:
        self.kept = _moments(real)

    def distance(self, generated: Tensor) -> float:
        from pytorch_fid.fid_score import calculate_frechet_distance

        return float(calculate_frechet_distance(*self.kept, *_moments(generated)))

    def folders(self, generated: Path, real: Path) -> float:
        from pytorch_fid.fid_score import calculate_fid_given_paths

        paths = [str(generated), str(real)]
        return float(calculate_fid_given_paths(paths, 50, self.device, DIM, num_workers=0))


class CleanFid:
    """clean-fid."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.network: Any = None
        self.kept: tuple[Any, Any] = (None, None)

    def _network(self) -> Any:
        from cleanfid.inception_torchscript import InceptionV3W

        if self.network is None:
            self.network = InceptionV3W(str(self.folder), download=False).to(self.device).eval()
        return self.network

    def embed(self, images: Tensor) -> Tensor:
        from cleanfid.resize import build_resizer

        network, resize = self._network(), build_resizer("clean")

        def embed(batch: Tensor) -> Tensor:
            resized = [resize(image.permute(1, 2, 0).numpy()) for image in batch]
            x = torch.from_numpy(np.stack(resized)).permute(0, 3, 1, 2)
            features: Tensor = network(x.to(self.device))
            return features

        return batches(images, 32, embed)

    def keep(self, real: Tensor) -> None:
        self.kept = _moments(real)

    def distance(self, generated: Tensor) -> float:
        from cleanfid.fid import frechet_distance

        return float(frechet_distance(*self.kept, *_moments(generated)))

    def folders(self, generated: Path, real: Path) -> float:
        from cleanfid.fid import compute_fid

        return float(
            compute_fid(
                str(generated),
                str(real),
                num_workers=0,
                device=torch.device(self.device),
                custom_feat_extractor=self._network(),
                verbose=False,
            )
        )


class TorchFidelity:
    """torch-fidelity."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.network: Any = None
        self.kept: Any = None

    def embed(self, images: Tensor) -> Tensor:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        if self.network is None:
            self.network = FeatureExtractorInceptionV3(
                "inception-v3-compat", ["2048"], str(self.folder / "weights.pth")
            ).to(self.device)
        return batches(images, 64, lambda batch: self.network(batch.to(self.device))[0])

    def keep(self, real: Tensor) -> None:
        from torch_fidelity.metric_fid import fid_features_to_statistics

        self.kept = fid_features_to_statistics(real)

    def distance(self, generated: Tensor) -> float:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        statistics = fid_features_to_statistics(generated)
        found = fid_statistics_to_metric(statistics, self.kept, verbose=False)
        return float(found["frechet_inception_distance"])

    def folders(self, generated: Path, real: Path) -> float:
        from torch_fidelity import calculate_metrics

        found = calculate_metrics(
            input1=str(generated),
            input2=str(real),
            fid=True,
            cuda=self.device == "cuda",
            cache=False,
            verbose=False,
            feature_extractor_weights_path=str(self.folder / "weights.pth"),
        )
        return float(found["frechet_inception_distance"])


class TorchMetrics:
    """torchmetrics."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.metric: Any = None
        self.kept: Any = None

    def _metric(self) -> Any:
        from torchmetrics.image.fid import FrechetInceptionDistance

        if self.metric is None:
            weights = str(self.folder / "weights.pth")
            self.metric = FrechetInceptionDistance(feature_extractor_weights_path=weights)
            self.metric.to(self.device)
        return self.metric

    def embed(self, images: Tensor) -> Tensor:
        network = self._metric().inception
        return batches(images, 64, lambda batch: network(batch.to(self.device)))

    def keep(self, real: Tensor) -> None:
        from torchmetrics.image.fid import FrechetInceptionDistance

        class Given(nn.Identity):
            num_features = DIM

        self.kept = FrechetInceptionDistance(Given(), reset_real_features=False)
        self.kept.update(real, real=True)

    def distance(self, generated: Tensor) -> float:
        self.kept.reset()
        self.kept.update(generated, real=False)
        return float(self.kept.compute())

    def folders(self, generated: Path, real: Path) -> float:
        # It leaves reading to the caller: here a batch at a time.
        for folder, is_real in ((generated, False), (real, True)):
            for batch in by_size(folder, 64):
                self._metric().update(batch.to(self.device), real=is_real)
        return float(self._metric().compute())


def _moments(features: Tensor) -> tuple[Any, Any]:
    """As pytorch-fid and clean-fid compute them before they take the distance."""
    array = features.numpy()
    return np.mean(array, axis=0), np.cov(array, rowvar=False)
