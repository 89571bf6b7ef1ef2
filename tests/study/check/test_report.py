from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from study_trees import changed, parse_study, tree

from study.check import examination as checking
from study.check.costs import Line, TrainingCost
from study.check.estimate import Estimate, NetworkEstimate
from study.check.forecast import Forecast
from study.check.report import check_study
from study.spec import StudyFile, UserError

COSTS = TrainingCost(1234, Line(0.1, 0.0))
COST = Estimate(
    networks=(
        NetworkEstimate("ddpm unet channels=8", 0.7, COSTS, 90.0, 30.0, 2**20),
        NetworkEstimate("ddpm unet channels=8,16", 0.3, COSTS, 200.0, 30.0, 2**20),
    ),
    unmeasured=0,
    time=Forecast(150.0, 260.4, 33.0),
    unpruned=None,
    images=36_000,
    evaluations=7_200,
    final_runs=0,
    at_most=False,
    at_least=False,
    memory=2.0**20,
    free_memory=2.0**30,
)


@pytest.fixture(autouse=True)
def costs(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the estimate what it is said to be; nothing is measured."""

    def be(**changes: Any) -> None:
        cost = replace(COST, **changes)
        monkeypatch.setattr(checking, "estimate", lambda *arguments: cost)

    be()
    return be


def checked(study_file: StudyFile) -> str:
    page = io.StringIO()
    check_study(study_file, Console(file=page, width=200))
    return page.getvalue()


def test_a_check_says_what_there_is_and_what_it_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "this_machine", lambda: {"CPU": 2.0, "GPU": 0.0})
    study_file = parse_study(changed(search={"pruner": "asha"}))
    page = checked(study_file)
    for dimension in study_file.space.dimensions():
        assert dimension.name in page
        assert str(dimension.hole) in page
    assert "small: 7 dimensions" in page
    assert "3 branches" in page
    assert "model.schedule=cosine, model.schedule.cosine.offset=0.008" in page
    assert "fits this machine: 2 lanes of 1 worker with 1 CPU" in page
    assert "4 trials: at most 36,000 training images and 7,200 network evaluations" in page
    row = next(line for line in page.splitlines() if "channels=8,16" in line)
    assert [part.strip() for part in row.strip("│ ").split("│")] == [
        "ddpm unet channels=8,16", "30%", "1,234", "3.8 min", "3.3 min", "30 s",
    ]  # fmt: skip
    assert "time: 2.5 to 4.3 min, of which 33 s until the first trial trains" in page


def test_a_check_shows_the_images_and_draws_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "this_machine", lambda: {"CPU": 2.0, "GPU": 0.0})
    page = io.StringIO()
    path = tmp_path / "a.png"
    check_study(parse_study(changed()), Console(file=page, width=60), picture=path)
    data, split, prepared, sheet, *_ = page.getvalue().splitlines()
    assert data == "data: 1,797 images of digits, 8 x 8 grey, 10 classes of 174 to 183 images"
    assert split == "  1,438 for training, 359 held out (fraction, held_out 0.2)"
    assert prepared == "  prepared: not at all"
    assert sheet == f"  contact sheet: {path}"
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (60.0, 100.0, "60 to 100 s"),
        (70.2, 70.4, "70 s"),
        (600.0, 1800.0, "10 to 30 min"),
        (5400.0, 9000.0, "1.5 to 2.5 h"),
        (86_400.0, 864_000.0, "1.0 to 10 days"),
    ],
)
def test_a_range_is_in_one_unit(
    costs: Callable[..., None], low: float, high: float, text: str
) -> None:
    costs(time=Forecast(low, high, 9.0))
    assert f"time: {text}, of which 9 s" in checked(parse_study(tree()))


def test_with_a_pruner_there_are_two_ranges(costs: Callable[..., None]) -> None:
    costs(unpruned=Forecast(300.0, 400.0, 33.0), at_most=True)
    page = checked(parse_study(tree()))
    assert "time: at most 2.5 to 4.3 min with the pruner, of which 33 s until" in page
    assert "trains; 5.0 to 6.7 min if it stops no trial" in page


def test_what_could_not_be_measured_is_told(costs: Callable[..., None]) -> None:
    slow = replace(COST.networks[0], cost=replace(COSTS, complete=False))
    costs(networks=(slow,), at_least=True, unmeasured=2, memory=5 * 2.0**30)
    page = checked(parse_study(tree()))
    assert "time: at least 2.5 min, of which" in page
    assert "ddpm unet channels=8: too large or slow to be tried here" in page
    assert "2 more networks that were not measured" in page
    assert "about 5 GiB of memory on all lanes together, but 1 GiB are free here" in page


def test_what_is_done_is_told_and_that_it_is_over() -> None:
    told: list[str] = []
    check_study(parse_study(tree()), Console(file=io.StringIO()), watch=told.append)
    assert told == ["", ""]  # nothing had to be read, and the fake measures nothing


def test_one_is_not_told_as_several() -> None:
    file = tree()
    file["model"]["schedule"] = {"kind": "cosine"}
    file["search"]["trials"] = 1
    page = checked(parse_study(file))
    assert "1 branch, each valid" in page
    assert "1 trial: at most" in page


def test_a_check_says_what_a_search_does_not_reach() -> None:
    file = changed(
        search={"sampler": "cma-es", "trials": 9},
        model={"timesteps": {"int": [10, 11]}, "network": "cnn", "schedule": "cosine"},
        train={"learning_rate": 1e-3},
    )
    page = checked(parse_study(file))
    assert "does not search, but draws at random: train.batch_size (a choice)\n" in page
    assert "the space has 4 points: at most 4 of 9 trials can differ" in page


def test_a_study_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "this_machine", lambda: {"CPU": 2.0, "GPU": 0.0})
    with pytest.raises(UserError, match="3 workers with 1 CPU each can never be placed"):
        checked(parse_study({**tree(), "scale": {"workers_per_trial": 3}}))
