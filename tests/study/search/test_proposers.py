from __future__ import annotations

import pytest
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, TPESampler

from study.search.proposers import SAMPLERS


@pytest.mark.parametrize(
    ("name", "kind"),
    [("tpe", TPESampler), ("cma-es", CmaEsSampler), ("gp", GPSampler), ("qmc", QMCSampler)],
)
def test_each_name_makes_its_sampler(name: str, kind: type[BaseSampler]) -> None:
    assert isinstance(SAMPLERS[name](0), kind)


@pytest.mark.parametrize("name", SAMPLERS)
def test_samplers_are_made_without_a_word(
    name: str, recwarn: pytest.WarningsRecorder, capfd: pytest.CaptureFixture[str]
) -> None:
    SAMPLERS[name](0)
    assert not recwarn.list
    assert capfd.readouterr() == ("", "")
