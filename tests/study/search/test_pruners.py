from __future__ import annotations

from typing import Any

import pytest
from optuna import pruners
from study_trees import changed, parse_study

from study.search import PastTrial, Search
from study.search.pruners import like_with_like, make_pruner
from study.spec.search import Pruner
from study.spec.short_form import kinds


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ("none", pruners.NopPruner),
        ("asha", pruners.SuccessiveHalvingPruner),
        ("hyperband", pruners.HyperbandPruner),
        ("median", pruners.MedianPruner),
        ("percentile", pruners.PercentilePruner),
        ("patient", pruners.PatientPruner),
        ("wilcoxon", pruners.WilcoxonPruner),
        ({"kind": "threshold", "upper": 3.0}, pruners.ThresholdPruner),
    ],
)
def test_each_name_makes_its_pruner(
    settings: Any, kind: type[pruners.BasePruner], recwarn: pytest.WarningsRecorder
) -> None:
    study = parse_study(changed(search={"pruner": settings})).study
    assert isinstance(make_pruner(study.search.pruner, epochs=9), kind)
    assert not recwarn.list


@pytest.mark.parametrize("name", kinds(Pruner))
def test_every_pruner_has_a_case(name: str) -> None:
    settings = {"kind": name, **({"upper": 3.0} if name == "threshold" else {})}
    study = parse_study(changed(search={"pruner": settings})).study
    pruner = make_pruner(study.search.pruner, epochs=1)
    assert isinstance(pruner, pruners.BasePruner), f"make_pruner has no case of {name}"


def test_hyperband_takes_fewer_epochs_than_its_first_rung() -> None:
    settings = {"kind": "hyperband", "min_epochs": 20}
    study = parse_study(changed(search={"pruner": settings})).study
    make_pruner(study.search.pruner, epochs=9)


RUNGS = [
    {"until": 2, "epochs": 1, "samples": 8},
    {"until": 4, "epochs": 1, "metric": "sliced_wasserstein"},
    {"epochs": 1},
]


def search_of(pruner: Any, every: Any) -> Search:
    file = changed(search={"pruner": pruner, "trials": 20}, score={"every": every})
    return Search(parse_study(file))


def test_one_rung_needs_no_care() -> None:
    study = parse_study(changed(search={"pruner": "median"})).study
    pruner = make_pruner(study.search.pruner, epochs=9)
    assert like_with_like(pruner, study.score) is pruner


def test_a_patient_pruner_does_not_compare_across_rungs() -> None:
    # Within a rung the scores rise or stand still; from rung to rung the scale changes.
    search = search_of({"kind": "patient", "patience": 1}, RUNGS)
    suggestion = search.ask()
    assert suggestion is not None
    for epoch, value in enumerate([1.0, 1.0, 5.0, 5.0, 3.0, 3.5], 1):
        assert not search.report(suggestion.number, epoch, value)
    assert search.report(suggestion.number, 7, 3.5)  # the third score of the last rung
    blind = search_of({"kind": "patient", "patience": 1}, 1)
    suggestion = blind.ask()
    assert suggestion is not None
    pruned = [
        blind.report(suggestion.number, epoch, value)
        for epoch, value in enumerate([1.0, 1.0, 5.0, 5.0], 1)
    ]
    assert any(pruned)  # what would happen without care


def test_a_median_pruner_does_not_take_an_early_rungs_score_for_the_best() -> None:
    def last_of_the_second(every: Any) -> bool:
        search = search_of({"kind": "median", "startup_trials": 1}, every)
        first = search.ask()
        assert first is not None
        for epoch, value in enumerate([1.0, 1.0, 1.0, 1.0, 2.0], 1):
            search.report(first.number, epoch, value)
        search.complete(first.number, [2.0])
        second = search.ask()
        assert second is not None
        # Good by the cheap metric, bad by the one that counts.
        return [
            search.report(second.number, epoch, value)
            for epoch, value in enumerate([0.9, 0.9, 0.9, 0.9, 9.0], 1)
        ][-1]

    assert last_of_the_second(RUNGS)
    assert not last_of_the_second(1)


def test_a_last_score_is_not_compared_with_an_early_rungs() -> None:
    search = search_of({"kind": "median", "startup_trials": 1}, RUNGS)
    suggestion = search.ask()
    assert suggestion is not None
    search.report(suggestion.number, 1, 4.0)
    search.report(suggestion.number, 2, 3.0, last=True)  # of all the images, where others have 8
    search.complete(suggestion.number, [3.0])
    assert search.trials[0].intermediate_values == {1: 4.0}
    past = PastTrial(search.trials[0].params, "complete", (3.0,), {1: 4.0, 2: 3.0})
    again = Search(
        parse_study(changed(search={"pruner": "median"}, score={"every": RUNGS})), [past]
    )
    assert again.trials[0].intermediate_values == {1: 4.0}


def test_bounds_are_of_the_score_in_full() -> None:
    search = search_of({"kind": "threshold", "lower": 1.0, "upper": 9.0}, RUNGS)
    suggestion = search.ask()
    assert suggestion is not None
    for epoch, value in enumerate([0.05, 0.05, 99.0, 99.0, 2.0], 1):
        assert not search.report(suggestion.number, epoch, value)
    assert search.report(suggestion.number, 6, 0.5)


@pytest.mark.parametrize("name", kinds(Pruner))
def test_every_pruner_works_on_rungs(name: str) -> None:
    settings = {"kind": name, **({"upper": 3.0} if name == "threshold" else {})}
    search = search_of(settings, RUNGS)
    stopped = 0
    for trial in range(8):
        suggestion = search.ask()
        assert suggestion is not None
        for epoch in range(1, 9):
            if search.report(suggestion.number, epoch, trial + 1 / epoch):
                search.prune(suggestion.number)
                stopped += 1
                break
        else:
            search.complete(suggestion.number, [trial + 1.0])
    assert stopped > 0 or name in ("none", "patient", "hyperband", "wilcoxon")
