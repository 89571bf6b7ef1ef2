"""Scores of the images of a family, by one worker or by several."""

from __future__ import annotations

import io
import time

from torch import Tensor

from models.family import Family
from models.precision import in_precision
from models.sampling import generate
from study.driver.files import samples_name
from study.driver.messages import ScoreResult, StoredFile
from study.results.image_grid import image_grid
from study.spec import Study
from study.spec.score import Score
from study.worker.team import Team
from study.worker.workbench import Workbench

GRID_IMAGES = 64
"""Samples shown in a trial's picture."""


def evaluate(
    family: Family,
    spec: Study,
    bench: Workbench,
    team: Team,
    *,
    score: Score,
    seed: int,
    epoch: int,
) -> tuple[tuple[ScoreResult, ...], Tensor]:
    """Generate images and measure them.

    Args:
        family: What makes the images, on the team's device.
        spec: The trial's study: how images are made, and what they are compared with.
        bench: Keeps the scorer.
        team: The workers that share the work; all of them call this.
        score: What is measured, and of how many images.
        seed: Of the images.
        epoch: Of the family's weights.

    Returns:
        The objective, then the other measures, on rank 0; no scores on the other ranks. And this
        worker's share of the images, uint8 [n, C, H, W].

    Raises:
        UserError: The images cannot be scored.
    """
    clock = time.perf_counter()
    scorer = bench.scorer(spec.data, score)
    sampling = spec.sampling
    with in_precision(spec.train.precision, family.device):
        images = generate(
            family,
            score.samples,
            sampler=sampling.sampler,
            steps=sampling.steps,
            seed=seed,
            options=sampling.options,
            rank=team.rank,
            world=team.world,
        )
    features = team.gather(scorer.features(images))
    if features is None:
        return (), images
    objective, also = scorer.score(features), scorer.also(features)
    variety = scorer.variety(features, also)
    seconds = time.perf_counter() - clock
    results = tuple(
        ScoreResult(
            epoch=epoch,
            metric=one.metric,
            value=one.value,
            spread=one.spread,
            samples=score.samples,
            sampler=sampling.text,
            steps=sampling.steps,
            seed=seed,
            embedder=scorer.identity.embedder_digest,
            reference=one.reference,
            seconds=seconds,
            variation=variety.variation,
            collapsed=variety.collapsed,
        )
        for one in (objective, *also)
    )
    return results, images


def keep_picture(
    bench: Workbench, study: str, trial: int, epoch: int, images: Tensor
) -> StoredFile:
    """Write a grid of a trial's first images, uint8 [N, C, H, W], to the storage.

    Raises:
        StorageUnavailable: The storage cannot be written for longer than the bench waits.
    """
    name = samples_name(study, trial, epoch)
    buffer = io.BytesIO()
    scale = max(1, 48 // images.shape[-1])
    picture = image_grid(images[:GRID_IMAGES].cpu().numpy(), scale=scale)
    picture.save(buffer, format="PNG")
    return bench.write(name, buffer.getvalue())
