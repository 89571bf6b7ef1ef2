"""What only the workers would find out, found out before anything starts.

A picture that cannot be read, a data set that is nowhere to be had, or a network of their own
that does not fit would fail one trial after the other. Imports torch only where there is something
to look at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from study.driver.trial_weights import read_weights_file
from study.results.storage import Storage
from study.spec import Study, StudyFile, UserError
from study.spec.datasets import is_path
from study.spec.embedder_info import embedder_info
from study.spec.names import DATASETS

if TYPE_CHECKING:
    from study.worker.workbench import Workbench

Watch = Callable[[str], None]
"""Told what is about to be done; nothing, an empty text, once it is over."""


def preflight(
    study_file: StudyFile,
    storage: Storage,
    watch: Watch = lambda what: None,
    *,
    bench: Workbench | None = None,
) -> tuple[str, ...]:
    """Read the images and build their own models, of every branch, as workers will.

    Args:
        study_file: The study.
        storage: Where it would run.
        watch: Told what is about to be read or tried, as it may take a while.
        bench: Keeps the images that are read, for who needs them next.

    Returns:
        Sentences for people on the images: what was left out, and what may be wrong.

    Raises:
        UserError: A picture cannot be read, a data set is not to be had or does not fit the study,
            an embedder's weights are not to be had or it does not take the images, a model cannot
            be built or does not take them, or the weights to be scored are gone or others than
            they were.
    """
    if study_file.study.weights is not None:
        read_weights_file(storage, study_file.study.weights)
    specs = {
        _key(corner.study): corner.study
        for corner in study_file.corners
        if _needs_preflight(corner.study)
    }
    if not specs:
        return ()
    import torch

    from study.worker.workbench import Workbench

    bench = bench or Workbench(storage, torch.device("cpu"))
    done: set[str] = set()  # branches share their images, and an embedder is tried once on them

    def reading(dataset: str) -> None:
        if dataset not in done:
            watch(f"reading {dataset}")
        done.add(dataset)

    for spec in specs.values():
        if _may_be_missing(spec.data.dataset):
            reading(spec.data.dataset)
            bench.images(spec.data)
        towards = getattr(spec.model, "towards", None)
        if towards is not None and _may_be_missing(towards.dataset):
            reading(towards.dataset)
            bench.towards(spec)
        if _is_user_model(spec):
            watch("trying the model of your own on 2 images")
            _try_model(spec)
        for name in _embedders(spec):
            tried = f"{name} on {spec.data.image_shape}"
            if tried not in done:
                watch(f"trying the embedder {name}")
                _try_embedder(name, spec, storage)
            done.add(tried)
    return bench.remarks


def _key(spec: Study) -> str:
    """What makes one study's images and model different from another's."""
    return f"{spec.data.model_dump_json()} {spec.model.model_dump_json()} {_embedders(spec)}"


def _needs_preflight(spec: Study) -> bool:
    towards = getattr(spec.model, "towards", None)
    return (
        _may_be_missing(spec.data.dataset)
        or (towards is not None and _may_be_missing(towards.dataset))
        or _is_user_model(spec)
        or bool(_embedders(spec))
    )


def _embedders(spec: Study) -> list[str]:
    """The embedders that may be missing, or have something wrong: Inception, and one's own."""
    names = {name for score in spec.scorings.values() for name in score.embedder_names}
    return sorted(name for name in names if embedder_info(name).external)


def _may_be_missing(dataset: str) -> bool:
    """Whether a data set may be missing, or have something wrong."""
    return is_path(dataset) or not DATASETS[dataset].comes_along


def _is_user_model(spec: Study) -> bool:
    network = getattr(spec.model, "network", None)
    return spec.model.family == "custom" or getattr(network, "kind", None) == "custom"


def _try_embedder(name: str, spec: Study, storage: Storage) -> None:
    """Make an embedder, and show it two images."""
    import numpy as np

    from study.data import ImageSet
    from study.scoring.embedders import make_embedder
    from study.worker.workbench import cache_folder

    noise = np.random.default_rng(0).integers(0, 256, (2, *spec.data.image_shape), dtype=np.uint8)
    images = ImageSet("noise", noise)
    folder = cache_folder(storage)
    embedder = make_embedder(name, images, cache_folder=folder, device="cpu", seed=spec.score.seed)
    embedder(images.tensor())


def _try_model(spec: Study) -> None:
    """Build a model of their own, and show it two images."""
    import torch

    from study.worker.build import build_model, placeholder_morph_images

    family = build_model(spec, 0, placeholder_morph_images(spec))
    images = torch.zeros(2, *spec.data.image_shape)
    generator = torch.Generator().manual_seed(0)
    try:
        for phase in family.players():
            shape = tuple(family.losses(images, *family.draw(2, generator, phase)).shape)
            if shape != (2,):
                raise ValueError(f"its losses are {list(shape)}, but must be [2], one an image")
    except Exception as error:  # whatever the user's code raises
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"the model of your own does not take 2 images of {list(spec.data.image_shape)}: "
            f"{type(error).__name__}: {reason}"
        ) from error
