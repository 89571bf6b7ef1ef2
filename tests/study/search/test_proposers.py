from __future__ import annotations

import logging

import optuna
import pytest
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, QMCSampler, TPESampler
from study_trees import changed, parse_study

from study.search import Search
from study.search.proposers import SAMPLERS
from study.spec.search import SEARCH_SAMPLERS


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


@pytest.mark.parametrize(
    "name", [name for name, info in SEARCH_SAMPLERS.items() if not info.enumerates]
)
def test_samplers_propose_without_a_word_though_dimensions_lie_in_branches(
    name: str, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    optuna.logging.enable_propagation()
    try:
        search = Search(parse_study(changed(search={"sampler": name, "trials": 13})))
        waiting = [search.ask() for _ in range(6)]  # lanes side by side
        for suggestion in [*waiting, *iter(search.ask, None)]:
            assert suggestion is not None
            search.complete(suggestion.number, [float(suggestion.number)])
    finally:
        optuna.logging.disable_propagation()
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert not recwarn.list
