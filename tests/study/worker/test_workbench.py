from __future__ import annotations

from pathlib import Path

import pytest
import torch
from specs import study

from study.data.streams import stream_of
from study.results.storage import Storage
from study.scoring.statistics_cache import reference_digest
from study.worker.workbench import Workbench


@pytest.mark.parametrize("against", ["held_out", "everything"])
def test_copies_are_of_the_images_that_were_trained_on(tmp_path: Path, against: str) -> None:
    bench = Workbench(Storage.from_uri(str(tmp_path)), torch.device("cpu"))
    score = {"also": ["memorisation", "authenticity"], "against": against}
    references = set()
    for fold in range(2):  # another split, another scorer
        spec = study(data={"split": {"kind": "k_fold", "folds": 3, "fold": fold}}, score=score)
        scorer = bench.scorer(spec.data, spec.score)
        parts = bench.images(spec.data).parts
        train = reference_digest(stream_of(parts.train), scorer.embedder)
        references.add(train)

        memorised, authentic = scorer.also(scorer.features(parts.held_out.tensor()))
        assert memorised.reference == authentic.reference == train
        # Were the whole set taken for the training images, these would be 1 and 0.
        assert memorised.value < 0.05
        assert authentic.value > 0.4
        copied = scorer.also(scorer.features(parts.train.tensor()))
        assert [one.value for one in copied] == [1, 0]
    assert len(references) == 2


def test_a_scorer_is_shared_by_scores_that_differ_in_their_images_alone(tmp_path: Path) -> None:
    bench = Workbench(Storage.from_uri(str(tmp_path)), torch.device("cpu"))
    spec = study()
    scorer = bench.scorer(spec.data, spec.score)
    for change in ({"samples": 7}, {"steps": 2}, {"every": 3}):
        assert bench.scorer(spec.data, spec.score.model_copy(update=change)) is scorer
    for change in ({"seed": 1}, {"also": ("recall",)}, {"against": "everything"}):
        other = bench.scorer(spec.data, spec.score.model_copy(update=change))
        assert other is not scorer
