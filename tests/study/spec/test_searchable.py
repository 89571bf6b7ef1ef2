from __future__ import annotations

from study.spec.searchable import SEARCHABLE_IN_SCORING, is_searchable, listed


def test_holes_can_stand_inside_of_these_places() -> None:
    assert is_searchable(("model",))
    assert is_searchable(("train", "optimizer", "betas", 0))
    assert is_searchable(("score", "steps"))
    assert not is_searchable(("score",))
    assert not is_searchable(("score", "samples"))
    assert not is_searchable(())
    assert not is_searchable(("model",), SEARCHABLE_IN_SCORING)


def test_places_are_listed() -> None:
    assert listed() == "model, train, data.split, score.sampler and score.steps"
    assert listed(SEARCHABLE_IN_SCORING) == "score.sampler and score.steps"
