from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from specs import study

from models.family import Family
from models.sampling import generate
from study.results.storage import Storage
from study.spec import Study
from study.worker.build import build_model
from study.worker.evaluate import GRID_IMAGES, evaluate, keep_picture
from study.worker.team import Team
from study.worker.workbench import Workbench


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(Storage.from_uri(str(tmp_path)), torch.device("cpu"))


@pytest.fixture(scope="module")
def spec() -> Study:
    sampler = {"kind": "ddim", "eta": 0.5}
    score = {"samples": 40, "steps": 3, "sampler": sampler, "also": ["recall", "kid"]}
    return study(score=score)


@pytest.fixture(scope="module")
def family(spec: Study) -> Family:
    return build_model(spec, 0, None)


def test_a_result_is_what_its_scorer_says_of_the_images_of_the_seed(
    bench: Workbench, spec: Study, family: Family
) -> None:
    results, images = evaluate(family, spec, bench, Team(), score=spec.score, seed=5, epoch=9)
    expected = generate(family, 40, sampler="ddim", steps=3, seed=5, options={"eta": 0.5})
    assert torch.equal(images, expected)
    scorer = bench.scorer(spec.data, spec.score)
    measured = [scorer.score(scorer.features(images)), *scorer.also(scorer.features(images))]
    assert [one.metric for one in results] == ["fd_pixels", "recall", "kid_pixels"]
    for result, one in zip(results, measured, strict=True):
        assert (result.metric, result.value, result.spread) == (one.metric, one.value, one.spread)
        assert result.reference == one.reference
        assert (result.epoch, result.seed, result.samples, result.steps) == (9, 5, 40, 3)
        assert result.sampler == "ddim(eta=0.5)"
        assert result.embedder == scorer.identity.embedder_digest
        assert result.seconds > 0


def test_fewer_images_may_be_measured_than_the_study_asks_for(
    bench: Workbench, spec: Study, family: Family
) -> None:
    few = spec.score.model_copy(update={"samples": 10, "also": ()})
    (result,), images = evaluate(family, spec, bench, Team(), score=few, seed=0, epoch=1)
    assert len(images) == result.samples == 10


@dataclass(frozen=True)
class OneOfTwo(Team):
    """One of two workers, with nobody to talk to."""

    world: int = 2

    def gather(self, rows: torch.Tensor) -> torch.Tensor | None:
        return rows if self.rank == 0 else None


def test_workers_share_the_images_and_the_first_alone_scores_them(
    bench: Workbench, spec: Study, family: Family
) -> None:
    score = spec.score.model_copy(update={"samples": 400, "also": ()})
    shares = []
    for rank in (0, 1):
        results, share = evaluate(family, spec, bench, OneOfTwo(rank), score=score, seed=5, epoch=1)
        assert len(results) == (1 if rank == 0 else 0)
        assert len(share) > 0
        shares.append(share)
    whole = generate(family, 400, sampler="ddim", steps=3, seed=5, options={"eta": 0.5})
    assert torch.equal(torch.cat(shares), whole)


@pytest.mark.parametrize(("count", "side"), [(5, 8), (200, 8), (5, 64)])
def test_a_picture_shows_the_first_images_large_enough_to_be_seen(
    bench: Workbench, count: int, side: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, 1, side, side), generator=generator).to(torch.uint8)
    file = keep_picture(bench, "small", 3, 7, images)
    assert file.name == "small/samples/trial-0003-epoch-00007.png"
    data = bench.storage.read(file.name)
    assert len(data) == file.bytes
    picture = np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    scale = max(1, 48 // side)
    assert min(picture.shape) >= side * scale
    again = keep_picture(bench, "small", 3, 8, images[:GRID_IMAGES])
    assert bench.storage.read(again.name) == data


def test_scoring_changes_no_weight(bench: Workbench, spec: Study, family: Family) -> None:
    before = {name: value.clone() for name, value in family.state_dict().items()}
    evaluate(family, spec, bench, Team(), score=spec.score, seed=0, epoch=1)
    after = family.state_dict()
    assert all(torch.equal(after[name], value) for name, value in before.items())
