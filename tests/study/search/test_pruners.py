from __future__ import annotations

from typing import Any

import pytest
from optuna import pruners
from study_trees import changed, parse_study

from study.search import make_pruner
from study.spec.names import PRUNERS


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


def test_every_pruner_has_a_case() -> None:
    for name in PRUNERS:
        settings = {"kind": name, **({"upper": 3.0} if name == "threshold" else {})}
        study = parse_study(changed(search={"pruner": settings})).study
        assert make_pruner(study.search.pruner, epochs=1) is not None


def test_hyperband_takes_fewer_epochs_than_its_first_rung() -> None:
    settings = {"kind": "hyperband", "min_epochs": 20}
    study = parse_study(changed(search={"pruner": settings})).study
    make_pruner(study.search.pruner, epochs=9)
