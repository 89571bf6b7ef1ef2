from __future__ import annotations

import pytest
from specs import study
from study_trees import changed, parse_study

from study.spec.finalists import Finalists
from study.spec.score import Score


@pytest.mark.parametrize(
    ("search", "finals", "metric", "embedder"),
    [
        ({}, {"metric": "fd", "embedder": "inception_clean"}, "fd", "inception_clean"),
        ({}, {"metric": "fd", "embedder": "mine:Net"}, "fd", "mine:Net"),
        ({"metric": "fd", "embedder": "mine:Net"}, {}, "fd", "mine:Net"),
        ({"metric": "fd", "embedder": "mine:Net"}, {"embedder": "my:Other"}, "fd", "my:Other"),
        ({"metric": "fd", "embedder": "mine:Net"}, {"metric": "fid"}, "fid", "inception"),
        ({}, {"metric": "fd_vae"}, "fd_vae", "vae"),
    ],
)
def test_the_finals_can_have_an_embedder_of_their_own(
    search: dict[str, str], finals: dict[str, str], metric: str, embedder: str
) -> None:
    study = parse_study({**changed(score=search), "finalists": finals}).study
    score = study.final().score
    assert (score.metric, score.embedder_name) == (metric, embedder)


def test_what_is_not_named_is_the_searchs() -> None:
    search = study(score={"also": ["recall"], "sampler": {"kind": "ddim", "eta": 0.5}}).score
    same = Finalists().score(search)
    assert Score.model_validate(same) == search
    more = Score.model_validate(Finalists(samples=500, also=()).score(search))
    assert more == search.model_copy(update={"samples": 500, "also": ()})


def test_an_embedder_goes_with_the_metric_that_needs_it() -> None:
    search = Score(metric="fd", embedder="mine:Net")
    assert Finalists(steps=3).score(search)["embedder"] == "mine:Net"
    assert Finalists(metric="fd_vae").score(search)["embedder"] is None
    assert Finalists(metric="fd", embedder="my:Other").score(search)["embedder"] == "my:Other"


@pytest.mark.parametrize(
    ("dimension", "overridden"),
    [
        ("score.samples", True),
        ("score.sampler.ddim.eta", True),
        ("score.steps", False),
        ("score.seed", False),
        ("train.samples", False),
    ],
)
def test_what_the_search_chose_gives_way_to_what_is_named(dimension: str, overridden: bool) -> None:
    finals = Finalists.model_validate({"samples": 500, "sampler": "ancestral"})
    assert finals.overrides(dimension) == overridden


def test_trainings_are_counted_for_all_finalists_together() -> None:
    assert Finalists(top=4, training_seeds=3, sampling_seeds=9).runs == 12
